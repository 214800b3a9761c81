package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"github.com/camd-project/camd/test/lab/agent"
)

// Guest is what the host can ask for. net/rpc runs each call in a goroutine of
// its own.
type Guest struct {
	off chan struct{}
	usb usb

	mu        sync.Mutex
	processes map[string]*process
	held      []*os.File
	keyboards map[string]*os.File
	say       chan<- saying // to the room, if there is one
}

// PowerOff ends the guest.
func (g *Guest) PowerOff(_ agent.Empty, _ *agent.Empty) error { //nolint:unparam // net/rpc wants it so
	close(g.off)
	return nil
}

// process is one that was started, and what it has said so far.
type process struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	more  chan struct{} // closed when lines or ended change, then made anew
	lines []string
	ended bool
	exit  int
}

// Run runs a process to its end. One that can't be started is an error.
func (g *Guest) Run(c agent.Command, r *agent.Result) error {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	r.Exit, r.Stdout, r.Stderr = cmd.ProcessState.ExitCode(), stdout.Bytes(), stderr.Bytes()
	return nil
}

// Start starts a process and returns at once. A name may be used again when the
// process that had it has ended.
func (g *Guest) Start(c agent.Command, _ *agent.Empty) error {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, more: make(chan struct{})}
	g.mu.Lock()
	g.processes[c.Name] = p
	g.mu.Unlock()
	go p.read(r)
	go func() {
		err := cmd.Wait()
		w.CloseWithError(err) //nolint:errcheck // documented to be nil
	}()
	return nil
}

// read collects the output until the process has ended.
func (p *process) read(r *io.PipeReader) {
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		p.change(func() { p.lines = append(p.lines, scanner.Text()) })
	}
	r.Close()
	p.change(func() { p.ended, p.exit = true, p.cmd.ProcessState.ExitCode() })
}

func (p *process) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.more)
	p.more = make(chan struct{})
}

// Lines waits until a process has said more than the host knows, or has ended.
func (g *Guest) Lines(c agent.Cursor, o *agent.Output) error {
	p, err := g.process(c.Name)
	if err != nil {
		return err
	}
	for {
		p.mu.Lock()
		more := p.more
		if len(p.lines) > c.From || p.ended {
			o.Lines, o.Ended, o.Exit = slices.Clone(p.lines[min(c.From, len(p.lines)):]), p.ended, p.exit
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		<-more
	}
}

// Signal sends a signal to a process.
func (g *Guest) Signal(s agent.Signal, _ *agent.Empty) error {
	p, err := g.process(s.Name)
	if err != nil {
		return err
	}
	return p.cmd.Process.Signal(syscall.Signal(s.Number))
}

func (g *Guest) process(name string) (*process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, ok := g.processes[name]
	if !ok {
		return nil, fmt.Errorf("no process %q was started", name)
	}
	return p, nil
}

// Open lists what a process has open, by the names of its descriptors.
func (g *Guest) Open(name string, open *[]string) error {
	p, err := g.process(name)
	if err != nil {
		return err
	}
	dir := fmt.Sprintf("/proc/%d/fd/", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if target, err := os.Readlink(dir + e.Name()); err == nil { // else it was closed just now
			*open = append(*open, target)
		}
	}
	return err
}
