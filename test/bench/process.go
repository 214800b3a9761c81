package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// child is another process of this program.
type child struct {
	*exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	url  string // of a sender
	role string
}

func (b *bench) start(role string, args ...string) (*child, error) {
	return b.startUnder(nil, role, args...)
}

// startUnder starts a child under a command that becomes it.
func (b *bench) startUnder(under []string, role string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	words := append(append(slices.Clone(under), self, role), args...)
	c := &child{Cmd: exec.CommandContext(b.ctx, words[0], words[1:]...), role: role} //nolint:gosec // itself
	c.Stderr = os.Stderr
	if c.in, err = c.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	return c, c.Start()
}

// sender starts send-camd or send-plain.
func (b *bench) sender(kind string, args ...string) (*child, error) {
	return b.senderUnder(nil, kind, append([]string{"-clip", b.clip}, args...)...)
}

func (b *bench) senderUnder(under []string, kind string, args ...string) (*child, error) {
	c, err := b.startUnder(under, "send-"+kind, args...)
	if err != nil {
		return nil, err
	}
	if err := c.read(&c.url); err != nil {
		c.stop()
		return nil, fmt.Errorf("start sender: %w", err)
	}
	return c, nil
}

// read reads the child's next line of JSON.
func (c *child) read(into any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read from %s: %w", c.role, err)
	}
	return json.Unmarshal(line, into)
}

// ask sends one command to a viewers' process.
func (c *child) ask(command string, into any) error {
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		return err
	}
	return c.read(into)
}

// stop ends the child the hard way: what hangs in it is no matter here.
func (c *child) stop() {
	_ = c.Process.Kill()
	_ = c.Wait()
}

// fetch asks a sender over HTTP. Nothing waits in between: body may be nil.
func (c *child) fetch(method, path string, body io.Writer) error {
	q, err := http.NewRequest(method, c.url+path, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = r.Body.Close() }()
	_, err = io.Copy(body, r.Body)
	return err
}

func (c *child) figures() (f figures, err error) {
	var b bytes.Buffer
	if err := c.fetch(http.MethodGet, "/figures", &b); err != nil {
		return f, err
	}
	return f, json.Unmarshal(b.Bytes(), &f)
}

// The rest reads proc(5).

// cpu is the processor time that a process has used so far.
func cpu(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name may hold blanks
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0, fmt.Errorf("short /proc/%d/stat", pid)
	}
	user, err := strconv.Atoi(f[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err // USER_HZ is 100
}

// field sums the numbers that stand behind key in the files of a pattern.
func field(pattern, key string) (sum float64, err error) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		return 0, fmt.Errorf("no file %s", pattern)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p) //nolint:gosec // in /proc
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, key+":"); ok {
				n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				if err != nil {
					return 0, err
				}
				sum += n
			}
		}
	}
	return sum, nil
}

// memory is a process's anonymous or resident memory in MB.
func memory(pid int, key string) (float64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), key)
	return kb / 1024, err
}

// switches is how often all threads together were put to sleep or moved aside.
func switches(pid int) (float64, error) {
	pattern := fmt.Sprintf("/proc/%d/task/*/status", pid)
	own, err := field(pattern, "voluntary_ctxt_switches")
	if err != nil {
		return 0, err
	}
	forced, err := field(pattern, "nonvoluntary_ctxt_switches")
	return own + forced, err
}

// written is what a process has caused to be written to disk, in bytes.
func written(pid int) (float64, error) {
	return field(fmt.Sprintf("/proc/%d/io", pid), "write_bytes")
}
