// Package evdev reads keys from the input devices of Linux (/dev/input/event*, see
// the kernel's Documentation/input/input.rst and include/uapi/linux/input.h).
//
// It returns only presses and releases of keys, and that the kernel has lost some. Repetitions
// and other kinds of events are left out. It starts no goroutine; Close ends a waiting Read.
package evdev

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrUnsupported means that this system has no such devices.
var ErrUnsupported = errors.New("input devices are read on Linux only")

// Device is one input device. Name is empty when Err says why it can't be opened.
type Device struct {
	Path string // such as /dev/input/event0
	Name string // as its driver gives it (EVIOCGNAME)
	Err  error
}

// Event is a key's press or release.
type Event struct {
	At   time.Duration // on CLOCK_MONOTONIC
	Key  uint16        // code of input-event-codes.h
	Down bool
	Lost bool // nothing else is set: presses and releases were lost (SYN_DROPPED)
}

// Values of struct input_event.
const (
	typeSync    = 0x00
	syncDropped = 3
	typeKey     = 0x01
	keyUp       = 0
	keyDown     = 1
)

// decode reads whole records of struct input_event: seconds and microseconds of one
// word each, in bytes; then type and code of two bytes, and a value of four. What is
// left of b is no whole record, which the kernel never gives.
func decode(b []byte, word int) (l []Event) {
	number := func(b []byte) time.Duration {
		if word == 4 {
			return time.Duration(binary.NativeEndian.Uint32(b))
		}
		return time.Duration(binary.NativeEndian.Uint64(b))
	}
	for size := 2*word + 8; len(b) >= size; b = b[size:] {
		at := number(b)*time.Second + number(b[word:])*time.Microsecond
		kind, code := binary.NativeEndian.Uint16(b[2*word:]), binary.NativeEndian.Uint16(b[2*word+2:])
		switch value := binary.NativeEndian.Uint32(b[2*word+4:]); {
		case kind == typeSync && code == syncDropped:
			l = append(l, Event{Lost: true})
		case kind == typeKey && value <= keyDown:
			l = append(l, Event{At: at, Key: code, Down: value == keyDown})
		}
	}
	return l
}
