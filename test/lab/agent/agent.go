// Package agent holds what the lab's host and the first process of its guest say
// to each other: net/rpc over a virtio serial port. It owns the names and shapes
// of the calls; test/lab/guest answers them, test/lab makes them.
package agent

import (
	"os"
	"time"
)

// Port is the name of the virtio serial port.
const Port = "lab"

// Service is the name under which the guest's calls are registered.
const Service = "Guest"

// ModuleList is the file of the initramfs that names the modules to load at boot:
// a path and parameters to the line.
const ModuleList = "lab/modules"

// Busy is the one argument with which the guest's first process, started once more, keeps
// a processor from ever being idle, and takes nothing from others.
const Busy = "busy"

// UnderInit is the first argument of the guest's agent where another init is the first
// process.
const UnderInit = "under-init"

// Empty is for calls without an argument or an answer.
type Empty struct{}

// File is a file to write, or one that was read.
type File struct {
	Path string
	Mode os.FileMode // 0: the file must exist, as in /sys
	Data []byte
}

// Command is a process to start.
type Command struct {
	Name string // by which Lines and Signal find it
	Args []string
}

// Result is a process that has ended.
type Result struct {
	Exit           int // -1: by a signal
	Stdout, Stderr []byte
}

// Cursor asks for a process's output from line From on.
type Cursor struct {
	Name string
	From int
}

// Output is lines of a process's output; Ended says that no more will come.
type Output struct {
	Lines []string
	Ended bool
	Exit  int
}

// Signal is a signal for a process that was started.
type Signal struct {
	Name   string
	Number int
}

// Tone is a sine to be played for ever into a PCM device.
type Tone struct {
	Device string // /dev/snd/pcmC0D0p
	Hertz  float64
}

// Recording is what a PCM device captures from now on, written to a file: 16-bit
// little-endian samples at 48 kHz, mono.
type Recording struct {
	Device string // /dev/snd/pcmC0D0c
	Path   string
}

// Room is what lies between a speaker and a microphone: what the PCM device Hears
// captures comes back from the PCM device Plays, some 100 ms later, as often as it is
// reflected.
type Room struct {
	Hears, Plays string    // /dev/snd/pcmC0D0c, /dev/snd/pcmC0D0p
	At           []int     // samples after which each reflection comes
	Gain         []float64 // how loud each is
}

// Speech is what somebody in the room says, if anything, and how long that lasts by the
// room's own clock, with the silence after it.
type Speech struct {
	Samples []int16
	Lasting time.Duration
}

// Control sets a V4L2 control (a button is pressed by any value).
type Control struct {
	Device string
	ID     uint32
	Value  int32
}

// VideoNode is one node of Video4Linux.
type VideoNode struct {
	Path    string
	Name    string
	Capture bool // the first node of its device: pictures, not metadata
}

// Mount is a disk's file system and where it goes.
type Mount struct {
	Device, At string
}

// Clock is what the wall clock shows from now on, and whether it says of itself
// that it is synchronised.
type Clock struct {
	Time         time.Time // zero: as it is
	Synchronised bool
}

// Keyboard is an input device with some keys and LEDs (codes of
// linux/input-event-codes.h). The kernel's input-leds makes of each LED one of the LED
// class, of brightness 0 or 1.
type Keyboard struct {
	Name string
	Keys []uint16
	LEDs []uint16
}

// Press is a press of a key of a keyboard that was made.
type Press struct {
	Keyboard string
	Key      uint16
	For      time.Duration // 0: pressed and released at once
}

// Found is what test/lab/peek finds in a state folder.
type Found struct {
	Epoch   uint64
	Reason  string   // why that epoch began
	Members []string // names, sorted
	Entries uint64   // of the access log
}
