package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/camd-project/camd/test/lab/agent"
)

// ErrEnded means that a process ended before it said what was waited for.
var ErrEnded = errors.New("the process has ended")

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

// Start starts a process in the guest; Await and Signal call it by name.
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

// Await waits until a started process has said a line that holds all of the words
// from line number from on, and gives the number of the line after it. A process
// that ends without is ErrEnded.
func (g *Guest) Await(ctx context.Context, name string, from int, words ...string) (next int, err error) {
	for {
		lines := g.Said(name)
		for i := from; i < len(lines); i++ {
			if holds(lines[i], words) {
				return i + 1, nil
			}
		}
		from = max(from, len(lines))
		ended, err := g.listen(ctx, name, len(lines))
		if err != nil {
			return 0, fmt.Errorf("wait for %q: %w", words, err)
		}
		if ended {
			return 0, fmt.Errorf("wait for %q: %w", words, ErrEnded)
		}
	}
}

func holds(line string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(line, w) {
			return false
		}
	}
	return true
}

// Ended waits for the end of a started process and gives its exit code.
func (g *Guest) Ended(ctx context.Context, name string) (exit int, err error) {
	for {
		var o agent.Output
		from := len(g.Said(name))
		if err := g.call(ctx, "Lines", agent.Cursor{Name: name, From: from}, &o); err != nil {
			return 0, err
		}
		g.keep(name, from, o.Lines)
		if o.Ended {
			return o.Exit, nil
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

// listen fetches the lines from number from on, waiting for at least one. ended
// says that there are none and never will be.
func (g *Guest) listen(ctx context.Context, name string, from int) (ended bool, err error) {
	var o agent.Output
	if err := g.call(ctx, "Lines", agent.Cursor{Name: name, From: from}, &o); err != nil {
		return false, err
	}
	g.keep(name, from, o.Lines)
	return o.Ended && len(o.Lines) == 0, nil
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
