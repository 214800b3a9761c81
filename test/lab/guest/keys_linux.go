package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

// What uinput is asked for (include/uapi/linux/uinput.h, input-event-codes.h).
const (
	uiDevCreate = 0x5501
	uiDevSetup  = 0x405c5503 // _IOW('U', 3, struct uinput_setup)
	uiSetEvBit  = 0x40045564
	uiSetKeyBit = 0x40045565
	uiSetLEDBit = 0x40045569

	evSyn, evKey, evLED = 0, 1, 0x11
	busVirtual          = 6
)

// uinputSetup is struct uinput_setup.
type uinputSetup struct {
	bus, vendor, product, version uint16
	name                          [80]byte
	_                             uint32
}

// inputEvent is struct input_event; the kernel dates it itself.
type inputEvent struct {
	_     syscall.Timeval
	kind  uint16
	code  uint16
	value int32
}

// Keyboard makes an input device that lives until it is pulled, or as long as the guest.
func (g *Guest) Keyboard(k agent.Keyboard, _ *agent.Empty) error {
	f, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := makeKeyboard(f.Fd(), k); err != nil {
		f.Close()
		return fmt.Errorf("make input device %s: %w", k.Name, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keyboards[k.Name] = f
	return nil
}

func makeKeyboard(fd uintptr, k agent.Keyboard) error {
	if err := unix.IoctlSetInt(int(fd), uiSetEvBit, evKey); err != nil {
		return err
	}
	for _, code := range k.Keys {
		if err := unix.IoctlSetInt(int(fd), uiSetKeyBit, int(code)); err != nil {
			return err
		}
	}
	if err := addLEDs(fd, k.LEDs); err != nil {
		return err
	}
	setup := uinputSetup{bus: busVirtual}
	copy(setup.name[:len(setup.name)-1], k.Name)
	if err := ioctl(fd, uiDevSetup, unsafe.Pointer(&setup)); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(fd), uiDevCreate, 0)
}

// addLEDs gives the device LEDs. What they are set to waits in the device's file, the
// newest few, and nobody reads it.
func addLEDs(fd uintptr, codes []uint16) error {
	if len(codes) == 0 {
		return nil
	}
	if err := unix.IoctlSetInt(int(fd), uiSetEvBit, evLED); err != nil {
		return err
	}
	for _, code := range codes {
		if err := unix.IoctlSetInt(int(fd), uiSetLEDBit, int(code)); err != nil {
			return err
		}
	}
	return nil
}

// PullKeyboard takes an input device away.
func (g *Guest) PullKeyboard(name string, _ *agent.Empty) error {
	g.mu.Lock()
	f, ok := g.keyboards[name]
	delete(g.keyboards, name)
	g.mu.Unlock()
	if !ok {
		return fmt.Errorf("no input device %q was made", name)
	}
	return f.Close()
}

// Press holds a key down for a while, or for no time.
func (g *Guest) Press(p agent.Press, _ *agent.Empty) error {
	g.mu.Lock()
	f, ok := g.keyboards[p.Keyboard]
	g.mu.Unlock()
	if !ok {
		return fmt.Errorf("no input device %q was made", p.Keyboard)
	}
	down, err := edge(p.Key, 1)
	if err != nil {
		return err
	}
	up, err := edge(p.Key, 0)
	if err != nil {
		return err
	}
	if p.For == 0 { // at once, or a busy machine makes it longer
		down, up = append(down, up...), nil
	}
	_, err = f.Write(down)
	if up != nil {
		time.Sleep(p.For)
		_, upErr := f.Write(up)
		err = errors.Join(err, upErr)
	}
	if err != nil {
		return fmt.Errorf("press key %d of %s: %w", p.Key, p.Keyboard, err)
	}
	return nil
}

// edge is what uinput is written for a key that changes.
func edge(key uint16, value int32) ([]byte, error) {
	var b bytes.Buffer
	err := binary.Write(&b, binary.NativeEndian, []inputEvent{{kind: evKey, code: key, value: value}, {kind: evSyn}})
	return b.Bytes(), err
}
