package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	morePorts  = 20 // tried after the one that is busy
	cameraName = "Demo camera"
)

type demoCmd struct {
	Address   string `arg:"--address" help:"where the page is served" default:"127.0.0.1:8088" placeholder:"HOST:PORT"`
	Camd      string `arg:"--camd" help:"the camd program (default: beside camdemo)" placeholder:"FILE"`
	Synthetic bool   `arg:"--synthetic" help:"use the test pattern and the tone even where there is a camera"`
	JSON      bool   `arg:"--json" help:"print the page's address and more as a line of JSON"`
	Verbose   bool   `arg:"-v,--verbose" help:"log to standard error what happens"`
}

// Description is the first line of the help.
func (demoCmd) Description() string {
	return "A camera, a broker and the owner's page on this machine."
}

// demo is everything that the command started, for its end.
type demo struct {
	env     *environment
	program string // camd
	dir     string
	broker  *broker.Broker
	ca      *pki.CA
	camd    *process
	label   pairing.Label
	played  string // file of what the speaker would play; empty: there is a real one
}

// Run starts all, serves the page until Ctrl-C, and then removes the demo's folder.
func (c demoCmd) Run(env *environment) (err error) {
	listener, err := c.listen(env)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the page's server has closed it if it ran
	program, err := c.program()
	if err != nil {
		return err
	}
	d := &demo{env: env, program: program}
	defer func() { err = errors.Join(err, d.end()) }()
	if err := d.start(c.Synthetic); err != nil {
		return err
	}
	return d.serve(listener)
}

// program finds camd.
func (c demoCmd) program() (string, error) {
	if c.Camd != "" {
		if _, err := os.Stat(c.Camd); err != nil {
			return "", fmt.Errorf("there is no camd at %s; build it with make build", c.Camd)
		}
		return filepath.Abs(c.Camd) // a bare name would be looked for in PATH
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("camdemo's own place is not known; name camd with --camd: %w", err)
	}
	beside := filepath.Join(filepath.Dir(self), "camd")
	if _, err := os.Stat(beside); err != nil {
		return "", fmt.Errorf("there is no camd beside camdemo (%s); build it with make build, or name it with --camd", beside)
	}
	return beside, nil
}

// listen takes the next port when the wanted one is busy. It serves this machine only.
func (c demoCmd) listen(env *environment) (net.Listener, error) {
	host, portText, err := net.SplitHostPort(c.Address)
	port, numeric := strconv.Atoi(portText)
	if err != nil || numeric != nil || !loopback(host) {
		return nil, command.Usage("--address must be a loopback address and a port, such as 127.0.0.1:8088: the page has no login")
	}
	for n := range morePorts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+n)))
		switch {
		case err == nil && n > 0:
			env.Note("Port %d is busy; the page is on port %d.", port, port+n)
			return l, nil
		case err == nil:
			return l, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("the page can't be served on %s: %w", c.Address, err)
		}
	}
	return nil, fmt.Errorf("ports %d to %d are all busy; name another with --address", port, port+morePorts-1)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// start brings up broker and camd. Nobody is paired: the first who opens the page is.
func (d *demo) start(synthetic bool) (err error) {
	if d.dir, err = os.MkdirTemp("", "camd-demo-"); err != nil {
		return fmt.Errorf("no folder for the demo can be made: %w", err)
	}
	d.env.Note("== making keys and certificates, starting a broker")
	if err := d.startBroker(); err != nil {
		return err
	}
	if err := d.terminal(); err != nil {
		return err
	}
	source := chooseSources(synthetic)
	d.env.Note("== starting camd: %s", source)
	return d.startCamd(source)
}

func (d *demo) startBroker() (err error) {
	if d.ca, err = pki.NewCA("camd demo"); err != nil {
		return err
	}
	server, err := d.ca.Server("127.0.0.1", "localhost")
	if err != nil {
		return err
	}
	d.broker, err = broker.Start(broker.Config{Address: "127.0.0.1:0", Log: d.env.log,
		TLS: &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: d.ca.Pool()}})
	return err
}

// startCamd makes the device's identity and certificate, starts the daemon, and waits until it
// is online.
func (d *demo) startCamd(source sources) error {
	f, err := d.writeConfig(source)
	if err != nil {
		return err
	}
	if d.label, err = d.factory(f); err != nil {
		return err
	}
	if err := d.certify(d.label.Device, f); err != nil {
		return err
	}
	if d.camd, err = startProcess(d.program, filepath.Join(d.dir, "camd.log"), "run", "--config", f.config); err != nil {
		return err
	}
	return d.camd.await(d.env.ctx, d.online)
}

// online returns what camd waits for.
func (d *demo) online() error {
	answer, err := client.Ask(d.env.ctx, d.socket(), map[string]string{"cmd": "status"})
	if err != nil {
		return err
	}
	var said struct {
		Status proto.StatusAnswer `json:"status"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return err
	}
	for _, c := range said.Status.Conditions {
		if c.Name == "broker" && c.State == "ok" {
			return nil
		}
	}
	return fmt.Errorf("it is not online: %+v", said.Status.Conditions)
}

func (d *demo) socket() string { return filepath.Join(d.dir, socketName) }

// end stops everything in the reverse order of starting.
func (d *demo) end() error {
	d.env.Note("== stopping")
	var errs []error
	if d.camd != nil {
		errs = append(errs, d.camd.stop())
	}
	if d.broker != nil {
		errs = append(errs, d.broker.Close())
	}
	if d.dir != "" {
		if err := os.RemoveAll(d.dir); err != nil {
			errs = append(errs, fmt.Errorf("%s is left: %w", d.dir, err))
		}
	}
	return errors.Join(errs...)
}

// serve runs until Ctrl-C or until camd dies.
func (d *demo) serve(l net.Listener) error {
	s := newServer(d, l.Addr())
	ctx, cancel := context.WithCancel(d.env.ctx)
	defer cancel()
	ended := s.run(ctx, l)
	err := d.env.Print(map[string]any{"address": s.pageURL(), "room": s.roomURL(), "device": d.label.Device, "label": d.label.Text(), "directory": d.dir},
		"%s", command.Lines(s.story()))
	if err == nil {
		select {
		case <-ctx.Done():
		case <-d.camd.done:
			err = d.camd.died()
		case err := <-ended:
			return fmt.Errorf("the page can't be served any more: %w", err)
		}
	}
	cancel()
	return errors.Join(err, <-ended)
}
