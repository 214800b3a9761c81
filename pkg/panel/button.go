package panel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/panel/evdev"
)

// lookEvery is how often a missing device is looked for.
const lookEvery = 3 * time.Second

// driver is evdev, or a fake one in tests.
type driver interface {
	Devices() ([]evdev.Device, error)
	Open(path string) (keys, error)
}

// keys is an *evdev.Keys.
type keys interface {
	Read() ([]evdev.Event, error)
	Close() error
}

// kernel is the real driver.
type kernel struct{}

func (kernel) Devices() ([]evdev.Device, error) { return evdev.Devices() }

func (kernel) Open(path string) (keys, error) {
	k, err := evdev.Open(path)
	if err != nil {
		return nil, err // not a nil *Keys in an interface
	}
	return k, nil
}

// report is a message of a button to the panel: an edge, or the state of its device.
type report struct {
	button  string // the key of the configuration
	edge    edge
	device  bool   // the device was found or lost
	problem string // a sentence: why the device can't be used; empty: it can
}

// button reads one button.
type button struct {
	name   string // the key of the configuration
	spec   spec
	driver driver
	out    chan<- report
}

func (b button) run(ctx context.Context) {
	for {
		err := b.use(ctx)
		if ctx.Err() != nil {
			return
		}
		b.send(ctx, report{device: true, problem: b.explain(err)})
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
		}
	}
}

// send sends a report unless ctx ends.
func (b button) send(ctx context.Context, r report) {
	r.button = b.name
	select {
	case b.out <- r:
	case <-ctx.Done():
	}
}

// use opens the device and reads it until it fails or ctx ends.
func (b button) use(ctx context.Context) error {
	k, err := b.find()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(closed); _ = k.Close() })
	defer func() {
		if !stop() {
			<-closed
			return
		}
		_ = k.Close()
	}()
	b.send(ctx, report{device: true})
	for p := (press{spec: b.spec}); ; {
		events, err := k.Read()
		if err != nil {
			return err
		}
		for _, e := range events {
			if x := p.take(e); x.down || x.up {
				b.send(ctx, report{edge: x})
			}
		}
	}
}

// missing is the error if no device has the name that is looked for.
type missing struct {
	name  string
	found []string // the names that there are
	err   error    // why one device could not be opened
}

func (m *missing) Error() string {
	found := "there is none at all"
	if len(m.found) > 0 {
		found = "found " + strings.Join(m.found, ", ")
	}
	return fmt.Sprintf("No input device is called %q: %s.", m.name, found)
}

func (m *missing) Unwrap() error { return m.err }

// find opens the first device with the button's name.
func (b button) find() (keys, error) {
	devices, err := b.driver.Devices()
	if err != nil {
		return nil, err
	}
	m := &missing{name: b.spec.name}
	for _, d := range devices {
		switch {
		case d.Err != nil:
			m.err = d.Err
		case d.Name == b.spec.name:
			return b.driver.Open(d.Path)
		default:
			m.found = append(m.found, foreign.Name(d.Name))
		}
	}
	return nil, m
}

// explain returns the sentence why the device can't be used.
func (b button) explain(err error) string {
	var m *missing
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("camd may not open the input devices, so %s does not work: add its user to the group input.", b.name)
	case errors.As(err, &m):
		return m.Error() + " Correct " + b.name + " in the configuration, or plug it in."
	case errors.Is(err, evdev.ErrUnsupported):
		return fmt.Sprintf("This system has no input devices: leave %s empty.", b.name)
	}
	return fmt.Sprintf("The input device %q of %s fails; it is tried again every few seconds.", b.spec.name, b.name)
}
