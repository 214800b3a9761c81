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
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	pairingWindow = time.Minute
	morePorts     = 20 // tried after the one that is busy
	cameraName    = "Demo camera"
	firstPicture  = 20 * time.Second // how long it may take
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
	return "A camera, a broker and a page with live picture and sound on this machine."
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
	played  string         // file of what the speaker would play; empty: there is a real one
	camera  *client.Camera // of the owner
}

// Run starts all, serves the page until Ctrl-C, and leaves nothing behind.
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
	first, err := d.start(c.Synthetic)
	if err != nil {
		return err
	}
	return d.serve(listener, first)
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

// start brings up broker and camd, pairs, and waits for a first picture.
func (d *demo) start(synthetic bool) (first time.Duration, err error) {
	if d.dir, err = os.MkdirTemp("", "camd-demo-"); err != nil {
		return 0, fmt.Errorf("no folder for the demo can be made: %w", err)
	}
	d.env.Note("== making keys and certificates, starting a broker")
	if err := d.startBroker(); err != nil {
		return 0, err
	}
	source := chooseSources(synthetic)
	d.env.Note("== starting camd: %s", source)
	if d.label, err = d.startCamd(source); err != nil {
		return 0, err
	}
	d.env.Note("== pairing as an owner does, with the label's text, and letting others in")
	if err := d.pair(d.label); err != nil {
		return 0, err
	}
	if err := d.gather(); err != nil {
		return 0, err
	}
	d.env.Note("== asking for a picture")
	return d.awaitPicture()
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

// startCamd makes the device's identity and certificate and starts the daemon.
func (d *demo) startCamd(source sources) (pairing.Label, error) {
	f, err := d.writeConfig(source)
	if err != nil {
		return pairing.Label{}, err
	}
	label, err := d.factory(f)
	if err != nil {
		return pairing.Label{}, err
	}
	if err := d.certify(label.Device, f); err != nil {
		return pairing.Label{}, err
	}
	if d.camd, err = startProcess(d.program, filepath.Join(d.dir, "camd.log"), "run", "--config", f.config); err != nil {
		return pairing.Label{}, err
	}
	return label, d.camd.await(d.env.ctx, func() error {
		_, err := client.Ask(d.env.ctx, f.socket, map[string]string{"cmd": "status"})
		return err
	})
}

// pair opens the window and goes through the real handshake.
func (d *demo) pair(label pairing.Label) error {
	owner, err := d.person(demoOwner)
	if err != nil {
		return err
	}
	socket := filepath.Join(d.dir, socketName)
	if err := client.OpenWindow(d.env.ctx, socket, pairingWindow, demoOwner); err != nil {
		return err
	}
	j, err := client.Join(d.env.ctx, socket)
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }() // the pairing may have closed it
	record, err := client.Pair(d.env.ctx, j.Conn, label, owner.keys, owner.login, owner.home.Known(label.Device))
	if err != nil {
		return err
	}
	record.Name = cameraName
	if err := owner.home.Save(record); err != nil {
		return err
	}
	d.camera, err = client.Dial(d.env.ctx, owner.home, owner.keys, record, d.env.log)
	return err
}

// awaitPicture watches until one came: it proves the whole way before anyone is
// asked to open the page. A camera needs a moment to start, so it asks again.
func (d *demo) awaitPicture() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(d.env.ctx, firstPicture)
	defer cancel()
	for {
		took, err := d.tryPicture(ctx)
		var refused *client.Refused
		again := errors.As(err, &refused) && refused.Code == proto.CodeNoMedia || errors.Is(err, client.ErrOffline)
		if !again {
			return took, d.explain(err)
		}
		select {
		case <-ctx.Done():
			return 0, d.explain(err)
		case <-d.camd.done:
			return 0, d.camd.died()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (d *demo) tryPicture(ctx context.Context) (time.Duration, error) {
	seen := make(chan struct{}, 1)
	session, err := d.camera.Watch(ctx, client.WatchOptions{Video: func(client.Frame) {
		select {
		case seen <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return 0, err
	}
	defer session.Close() //nolint:contextcheck // its bye outlives ctx
	select {
	case <-seen:
		return session.Stats().Video.FirstFrame, nil
	case <-session.Done():
		return 0, session.Err()
	case <-d.camd.done:
		return 0, d.camd.died()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// explain adds what the camera says of itself to a picture that did not come.
func (d *demo) explain(err error) error {
	if err == nil || d.env.ctx.Err() != nil {
		return errors.Join(err, d.env.ctx.Err())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no picture came within %v", firstPicture)
	}
	ctx, cancel := context.WithTimeout(d.env.ctx, time.Second)
	defer cancel()
	answer, asked := d.camera.Call(ctx, proto.OpStatus, "", nil)
	var status proto.StatusAnswer
	if asked != nil || json.Unmarshal(answer.Body, &status) != nil {
		return err
	}
	for _, c := range status.Conditions {
		if c.State != "ok" && c.Reason != "" { // what is ok explains nothing
			err = fmt.Errorf("%w %s: %s", err, c.Name, c.Reason)
		}
	}
	return err
}

// end stops everything in the reverse order of starting.
func (d *demo) end() error {
	d.env.Note("== stopping")
	if d.camera != nil {
		d.camera.Close()
	}
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
