package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// patience is for what has to happen, not a figure.
const patience = 30 * time.Second

// household is a whole camd with its broker and one paired owner.
type household struct {
	dir    string
	socket string
	config string
	audio  string // the [audio] table
	ca     *pki.CA
	broker *broker.Broker
	daemon *exec.Cmd
	owner  *client.Camera
	keys   *home.Keys // the owner's
}

// household sets all up by the real ways; capture is the [capture] table.
func (b *bench) household(capture string) (h *household, err error) {
	return b.householdThat(capture, "source = \"off\"\n")
}

// householdThat is one with an [audio] table of its own. Its speaker, if it is a file,
// writes where h.played says.
func (b *bench) householdThat(capture, audio string) (h *household, err error) {
	h = &household{audio: audio}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.dir, err = os.MkdirTemp(b.cache, "household-"); err != nil { // the store's folder, on a disk
		return h, err
	}
	short, err := os.MkdirTemp("", "camd-bench-") // a socket's path must be short
	if err != nil {
		return h, err
	}
	h.socket = filepath.Join(short, "s")
	if h.ca, err = pki.NewCA("bench"); err != nil {
		return h, err
	}
	server, err := h.ca.Server("127.0.0.1")
	if err != nil {
		return h, err
	}
	h.broker, err = broker.Start(broker.Config{Address: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: h.ca.Pool()}}) //nolint:gosec // Start sets the version
	if err != nil {
		return h, err
	}
	if err := h.configure(capture); err != nil {
		return h, err
	}
	return h, h.begin(b)
}

func (h *household) configure(capture string) error {
	authority, err := pki.WriteCA(h.dir, "ca", h.ca)
	if err != nil {
		return err
	}
	h.config = filepath.Join(h.dir, "camd.toml")
	text := fmt.Sprintf("[device]\nstate = %q\nsocket = %q\n[capture]\n%s[audio]\n%sspeaker_file = %q\n[setup]\nble = \"off\"\n[link]\nbroker = \"mqtts://%s\"\nca = %q\n",
		h.state(), h.socket, capture, h.audio, h.played(), h.broker.Address(), authority)
	return os.WriteFile(h.config, []byte(text), 0o600)
}

func (h *household) state() string  { return filepath.Join(h.dir, "state") }
func (h *household) played() string { return filepath.Join(h.dir, "played.raw") }

// begin gives the device its identity, starts it, and pairs.
func (h *household) begin(b *bench) error {
	out, err := exec.CommandContext(b.ctx, b.camd, "factory", "init", "--tpm", "off", "--json", "--config", h.config).Output() //nolint:gosec // the operator's own
	if err != nil {
		return fmt.Errorf("camd factory init: %w", err)
	}
	var made struct {
		Device proto.DeviceID
		Label  string
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return err
	}
	if err := h.certify(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(h.dir, "camd.log"))
	if err != nil {
		return err
	}
	h.daemon = exec.CommandContext(b.ctx, b.camd, "run", "--config", h.config) //nolint:gosec // the operator's own
	h.daemon.Stderr = log
	if err := h.daemon.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return h.pair(ctx, made.Label)
}

// certify signs the device's request, as the broker's operator would.
func (h *household) certify() error {
	text, err := os.ReadFile(filepath.Join(h.state(), "identity", "device.csr"))
	if err != nil {
		return err
	}
	_, cert, err := h.ca.CertifyRequest(text)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(h.state(), "identity", "operational.crt"), cert, 0o600)
}

func (h *household) pair(ctx context.Context, text string) error {
	for client.OpenWindow(ctx, h.socket, time.Minute, "bench") != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("camd did not start; see %s", filepath.Join(h.dir, "camd.log"))
		case <-time.After(100 * time.Millisecond):
		}
	}
	label, err := pairing.ParseLabel(text)
	if err != nil {
		return err
	}
	if h.keys, err = home.NewKeys(); err != nil {
		return err
	}
	login, err := h.login(h.keys)
	if err != nil {
		return err
	}
	conn, err := client.Join(ctx, h.socket)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	record, err := client.Pair(ctx, conn, label, h.keys, login, nil)
	if err != nil {
		return err
	}
	h.owner, err = client.Dial(ctx, nil, h.keys, record, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = h.owner.Call(ctx, proto.OpStatus, "", nil)
	return err
}

// login is what the broker's operator gives a client.
func (h *household) login(keys *home.Keys) (home.Broker, error) {
	cert, err := h.ca.Viewer(keys.ID())
	if err != nil {
		return home.Broker{}, err
	}
	key, err := pki.KeyPEM(cert)
	return home.Broker{Certificate: string(pki.CertificatePEM(cert)), Key: string(key)}, err
}

func (h *household) close() {
	if h.owner != nil {
		h.owner.Close()
	}
	if h.daemon != nil && h.daemon.Process != nil {
		_ = h.daemon.Process.Signal(syscall.SIGTERM)
		_ = h.daemon.Wait()
	}
	if h.broker != nil {
		_ = h.broker.Close()
	}
	_ = os.RemoveAll(h.dir)
	_ = os.RemoveAll(filepath.Dir(h.socket))
}

func (b *bench) daemonOnFile() error {
	clip, err := filepath.Abs(b.clip)
	if err != nil {
		return err
	}
	h, err := b.household(fmt.Sprintf("source = \"file\"\nfile = %q\nrate = %d\n", clip, clipRate))
	if err != nil {
		return err
	}
	defer h.close()
	if err := b.idle(h, "camera of 30 frames a second running"); err != nil {
		return err
	}
	before, err := written(h.daemon.Process.Pid)
	if err != nil {
		return err
	}
	if err := b.sessions(h, "whole daemon, ring since the last keyframe"); err != nil {
		return err
	}
	return b.stored(h, before)
}

// stored tells what a session costs the flash memory.
func (b *bench) stored(h *household, before float64) error {
	after, err := written(h.daemon.Process.Pid)
	if err != nil {
		return err
	}
	const figure = "written to the store for each session (baseline: one bbolt commit)"
	b.report.add("camd", figure, "kB", (after-before)/float64(b.Sessions)/1000)
	c, err := b.start("bolt", h.dir)
	if err != nil {
		return err
	}
	defer c.stop()
	var each float64
	if err := c.read(&each); err != nil {
		return err
	}
	b.report.add("bbolt", figure, "kB", each/1000)
	return nil
}

func (b *bench) daemonOnEncoder() error {
	h, err := b.household("source = \"synthetic\"\nwidth = 1280\nheight = 720\nrate = 30\nkeyframe_seconds = 10\n")
	if err != nil {
		return err
	}
	defer h.close()
	if err := b.idle(h, "encoder resting"); err != nil {
		return err
	}
	s, err := h.owner.Watch(b.ctx, client.WatchOptions{Video: func(client.Frame) {}}) // so that the encoder is in the middle of its pictures
	if err != nil {
		return err
	}
	defer s.Close()
	return b.sessions(h, "whole daemon, keyframe on demand, 720p30 encoder")
}

// idle measures a daemon that nobody watches.
func (b *bench) idle(h *household, how string) error {
	if err := b.pause(3 * time.Second); err != nil {
		return err
	}
	pid := h.daemon.Process.Pid
	before, err := switches(pid)
	if err != nil {
		return err
	}
	used, err := cpu(pid)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := b.pause(b.Idle); err != nil {
		return err
	}
	after, err := switches(pid)
	if err != nil {
		return err
	}
	idle, err := cpu(pid)
	if err != nil {
		return err
	}
	took := time.Since(began)
	b.report.add("camd", "daemon idle, "+how+": context switches", "/s", (after-before)/took.Seconds())
	b.report.add("camd", "daemon idle, "+how+": CPU", "% of a core", 100*float64(idle-used)/float64(took))
	for _, key := range []string{"Anonymous", "Rss"} {
		mb, err := memory(pid, key)
		if err != nil {
			return err
		}
		b.report.add("camd", "daemon idle, "+how+": "+map[string]string{"Anonymous": "anonymous memory", "Rss": "resident memory"}[key], "MB", mb)
	}
	return nil
}

// sessions asks for sessions, one after the other, by sealed requests through the
// broker. The baseline is plain pion's time over HTTP.
func (b *bench) sessions(h *household, how string) error {
	var all []time.Duration
	for range b.Sessions {
		if err := b.pause(rand.N(clipGOP * frameInterval)); err != nil { //nolint:gosec // no secret
			return err
		}
		d, err := h.once(b.ctx)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	for _, q := range []string{"p50", "p95"} {
		figure := "time to first frame, " + how + ", " + q
		b.report.add("camd", figure, "ms", ms(quantile(all, quantiles[q])))
		for _, plain := range b.report.find(overHTTP(q)).Baseline {
			b.report.add("plain", figure, "ms", plain)
		}
	}
	return nil
}

// once watches until the first frame; the time is from asking.
func (h *household) once(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	first := make(chan struct{}, 1)
	s, err := h.owner.Watch(ctx, client.WatchOptions{Video: func(client.Frame) {
		select {
		case first <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	select {
	case <-first:
		return s.Stats().Video.FirstFrame, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("no frame came: %w", ctx.Err())
	}
}
