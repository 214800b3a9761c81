// Package led switches LEDs through the kernel's LED class in sysfs (the kernel's
// Documentation/leds/leds-class.rst and Documentation/ABI/testing/sysfs-class-led).
//
// It keeps no file open, so an LED may be unplugged and plugged in again. What is written
// is read back: the package reports what the kernel says, not what was asked for. It
// starts no goroutine. Without sysfs there are no LEDs.
package led

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Class is the folder that holds a folder for each LED.
type Class string

// System is the machine's own.
const System Class = "/sys/class/leds"

// MaxName is the length of the longest name that the kernel gives.
const MaxName = 63

// ErrOther means that the LED is not as it was set, or something else drives it.
var ErrOther = errors.New("the kernel says otherwise")

// How long a driver that writes on a work queue may take to report the new state.
const (
	settleTime  = 200 * time.Millisecond
	settleSteps = 20
)

// ValidName reports whether name can be the name of an LED.
func ValidName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= MaxName && !strings.ContainsAny(name, "/\x00\n")
}

// Info describes an LED.
type Info struct {
	Name    string
	Max     int    // the greatest brightness
	Trigger string // what drives it; "none": nothing but what is written
	Err     error  // why it can't be read, or may not be written
}

// List lists the LEDs by name. A machine without any has an empty list.
func (c Class) List() ([]Info, error) {
	entries, err := os.ReadDir(string(c))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list LEDs: %w", err)
	}
	l := make([]Info, len(entries))
	for i, e := range entries {
		l[i] = c.look(e.Name())
	}
	return l, nil
}

func (c Class) look(name string) Info {
	l := c.LED(name)
	i := Info{Name: name}
	if i.Max, i.Err = l.number("max_brightness"); i.Err != nil {
		return i
	}
	if i.Trigger, i.Err = l.trigger(); i.Err != nil {
		return i
	}
	f, err := os.OpenFile(l.path("brightness"), os.O_WRONLY, 0) // nothing is written
	if err != nil {
		i.Err = err
		return i
	}
	i.Err = f.Close()
	return i
}

// LED is one LED, present or not.
type LED struct{ dir string }

// LED returns the LED with this name, which must be valid.
func (c Class) LED(name string) LED { return LED{filepath.Join(string(c), name)} }

// Set switches the LED to its greatest brightness, or off, and returns when the kernel
// says that it is so. A trigger that drives it is removed first.
func (l LED) Set(on bool) error {
	bright := 0
	if on {
		var err error
		if bright, err = l.number("max_brightness"); err != nil {
			return err
		}
	}
	by, err := l.trigger()
	if err == nil && by != none {
		err = l.write("trigger", none)
	}
	if err != nil {
		return err
	}
	if err := l.write("brightness", strconv.Itoa(bright)); err != nil {
		return err
	}
	for range settleSteps {
		if err = l.Is(on); !errors.Is(err, ErrOther) {
			return err
		}
		time.Sleep(settleTime / settleSteps)
	}
	return err
}

// Is returns nil if the kernel says that the LED is on or off, as wanted, and that no
// trigger drives it. On is more than half of the greatest brightness, because some drivers
// round.
func (l LED) Is(on bool) error {
	top, err := l.number("max_brightness")
	if err != nil {
		return err
	}
	now, err := l.number("brightness")
	if err != nil {
		return err
	}
	by, err := l.trigger()
	switch {
	case err != nil:
		return err
	case by != none:
		return fmt.Errorf("%w: trigger %s drives %s", ErrOther, by, filepath.Base(l.dir))
	case top < 1, on != (2*now > top), !on && now != 0:
		return fmt.Errorf("%w: %s has brightness %d of %d", ErrOther, filepath.Base(l.dir), now, top)
	}
	return nil
}

// none is the trigger of an LED that no trigger drives.
const none = "none"

// trigger returns the LED's trigger: the word in brackets. A kernel without triggers has no
// such file.
func (l LED) trigger() (string, error) {
	b, err := os.ReadFile(l.path("trigger"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(l.dir); err != nil {
			return "", err
		}
		return none, nil
	}
	if err != nil {
		return "", err
	}
	return parseTrigger(string(b))
}

func parseTrigger(s string) (string, error) {
	for word := range strings.FieldsSeq(s) {
		if name, ok := strings.CutPrefix(word, "["); ok {
			if name, ok = strings.CutSuffix(name, "]"); ok && name != "" {
				return name, nil
			}
		}
	}
	return "", fmt.Errorf("no trigger of %.100q is the one in force", s)
}

func (l LED) path(file string) string { return filepath.Join(l.dir, file) }

func (l LED) number(file string) (int, error) {
	b, err := os.ReadFile(l.path(file))
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s holds %.40q, no number", l.path(file), b)
	}
	return n, nil
}

// write writes an existing file; it never creates one.
func (l LED) write(file, text string) error {
	f, err := os.OpenFile(l.path(file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
