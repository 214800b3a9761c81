package lab

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"github.com/camd-project/camd/test/lab/agent"
)

// call asks the guest for something and waits for the answer, ctx or its death.
func (g *Guest) call(ctx context.Context, method string, arg, reply any) error {
	c := g.client.Go(agent.Service+"."+method, arg, reply, nil)
	select {
	case <-c.Done:
		if c.Error != nil {
			return fmt.Errorf("guest: %s: %w", method, c.Error)
		}
		return nil
	case <-g.ended:
		return fmt.Errorf("guest: %s: the guest has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("guest: %s: %w", method, ctx.Err())
	}
}

// Put writes a file in the guest. With mode 0 it must exist already, as in /sys.
func (g *Guest) Put(ctx context.Context, path string, mode fs.FileMode, data []byte) error {
	return g.call(ctx, "Put", agent.File{Path: path, Mode: mode, Data: data}, &agent.Empty{})
}

// Get reads a file of the guest.
func (g *Guest) Get(ctx context.Context, path string) ([]byte, error) {
	var f agent.File
	err := g.call(ctx, "Get", path, &f)
	return f.Data, err
}

// Tree reads every file below a folder of the guest.
func (g *Guest) Tree(ctx context.Context, root string) ([]agent.File, error) {
	var l []agent.File
	err := g.call(ctx, "Tree", root, &l)
	return l, err
}

// Glob lists the names in the guest that match a pattern.
func (g *Guest) Glob(ctx context.Context, pattern string) ([]string, error) {
	var l []string
	err := g.call(ctx, "Glob", pattern, &l)
	return l, err
}

// Cameras lists the capture nodes of Video4Linux.
func (g *Guest) Cameras(ctx context.Context) ([]agent.VideoNode, error) {
	var all, cameras []agent.VideoNode
	err := g.call(ctx, "Video", agent.Empty{}, &all)
	for _, n := range all {
		if n.Capture {
			cameras = append(cameras, n)
		}
	}
	return cameras, err
}

// Run runs a command in the guest to its end. An exit code is no error.
func (g *Guest) Run(ctx context.Context, args ...string) (agent.Result, error) {
	var r agent.Result
	err := g.call(ctx, "Run", agent.Command{Args: args}, &r)
	return r, err
}

// Start starts a process in the guest; Signal, Ended and Said call it by name.
func (g *Guest) Start(ctx context.Context, name string, args ...string) error {
	if err := g.call(ctx, "Start", agent.Command{Name: name, Args: args}, &agent.Empty{}); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.output[name] = nil
	return nil
}

// Signal sends a signal to a started process.
func (g *Guest) Signal(ctx context.Context, name string, s syscall.Signal) error {
	return g.call(ctx, "Signal", agent.Signal{Name: name, Number: int(s)}, &agent.Empty{})
}

// Ended waits for the end of a started process and gives its exit code.
func (g *Guest) Ended(ctx context.Context, name string) (exit int, err error) {
	for {
		o, err := g.listen(ctx, name)
		if err != nil || o.Ended {
			return o.Exit, err
		}
	}
}

// Started names the processes that were started.
func (g *Guest) Started() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.output))
}

// Said is what is known of a started process's output.
func (g *Guest) Said(name string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.output[name]
}

// listen waits for more of a started process's output, or its end.
func (g *Guest) listen(ctx context.Context, name string) (agent.Output, error) {
	var o agent.Output
	from := len(g.Said(name))
	err := g.call(ctx, "Lines", agent.Cursor{Name: name, From: from}, &o)
	if err == nil {
		g.keep(name, from, o.Lines)
	}
	return o, err
}

// keep notes the lines from number from on, unless another listener was faster.
func (g *Guest) keep(name string, from int, lines []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if known := len(g.output[name]); known < from+len(lines) {
		g.output[name] = append(g.output[name][:known:known], lines[known-from:]...)
	}
}

// Plug plugs in the USB camera, which plays an Annex B file of the guest.
func (g *Guest) Plug(ctx context.Context, clip string) error {
	return g.call(ctx, "Plug", clip, &agent.Empty{})
}

// Unplug pulls the USB camera out.
func (g *Guest) Unplug(ctx context.Context) error {
	return g.call(ctx, "Unplug", agent.Empty{}, &agent.Empty{})
}

// ShowPicture has the USB camera see a picture of its size (usbcam.Width, usbcam.Height) instead
// of what moves, from its next frame on, in every format but H.264.
func (g *Guest) ShowPicture(ctx context.Context, picture image.Image) error {
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return err
	}
	return g.call(ctx, "ShowPicture", file.Bytes(), &agent.Empty{})
}

// Mount mounts a disk's ext4 file system.
func (g *Guest) Mount(ctx context.Context, device, at string) error {
	return g.call(ctx, "Mount", agent.Mount{Device: device, At: at}, &agent.Empty{})
}

// Unmount ends that; everything is on the disk then.
func (g *Guest) Unmount(ctx context.Context, at string) error {
	return g.call(ctx, "Unmount", at, &agent.Empty{})
}

// Sync writes everything to the disks, as a running system does sooner or later.
func (g *Guest) Sync(ctx context.Context) error {
	return g.call(ctx, "Sync", agent.Empty{}, &agent.Empty{})
}

// SetClock sets the guest's clock.
func (g *Guest) SetClock(ctx context.Context, c agent.Clock) error {
	return g.call(ctx, "SetClock", c, &agent.Empty{})
}

// Keyboard makes an input device.
func (g *Guest) Keyboard(ctx context.Context, k agent.Keyboard) error {
	return g.call(ctx, "Keyboard", k, &agent.Empty{})
}

// PullKeyboard takes an input device away, with its LEDs.
func (g *Guest) PullKeyboard(ctx context.Context, name string) error {
	return g.call(ctx, "PullKeyboard", name, &agent.Empty{})
}

// Press holds a key of an input device down for a while.
func (g *Guest) Press(ctx context.Context, p agent.Press) error {
	return g.call(ctx, "Press", p, &agent.Empty{})
}

// Open lists what a started process has open.
func (g *Guest) Open(ctx context.Context, name string) ([]string, error) {
	var l []string
	err := g.call(ctx, "Open", name, &l)
	return l, err
}

// Hold keeps a file of the guest open until the guest ends, as another program may.
func (g *Guest) Hold(ctx context.Context, path string) error {
	return g.call(ctx, "Hold", path, &agent.Empty{})
}

// Freeze makes the USB camera hang, or go on.
func (g *Guest) Freeze(ctx context.Context, on bool) error {
	return g.call(ctx, "Freeze", on, &agent.Empty{})
}

// Control sets a V4L2 control.
func (g *Guest) Control(ctx context.Context, device string, id uint32, value int32) error {
	return g.call(ctx, "Control", agent.Control{Device: device, ID: id, Value: value}, &agent.Empty{})
}

// Play plays a tone into a PCM device until the guest ends.
func (g *Guest) Play(ctx context.Context, device string, hertz float64) error {
	return g.call(ctx, "Play", agent.Tone{Device: device, Hertz: hertz}, &agent.Empty{})
}

// Record records what a PCM device captures into a file of the guest, which is there
// when it returns, until the guest ends.
func (g *Guest) Record(ctx context.Context, device, path string) error {
	return g.call(ctx, "Record", agent.Recording{Device: device, Path: path}, &agent.Empty{})
}

// Room puts a room between two PCM devices until the guest ends.
func (g *Guest) Room(ctx context.Context, r agent.Room) error {
	return g.call(ctx, "Room", r, &agent.Empty{})
}

// Say has somebody in the room say something, and waits until it has been said.
func (g *Guest) Say(ctx context.Context, s agent.Speech) error {
	return g.call(ctx, "Say", s, &agent.Empty{})
}
