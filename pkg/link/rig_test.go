package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

const version = "1.2.3"

// eachBroker runs a test against the embedded broker and against mosquitto with
// the configuration that the project ships.
func eachBroker(t *testing.T, test func(t *testing.T, s *linktest.Server)) {
	t.Run("embedded", func(t *testing.T) { test(t, linktest.Embedded(t)) })
	t.Run("mosquitto", func(t *testing.T) { test(t, linktest.Mosquitto(t, "../../docs/mosquitto")) })
}

// rig is a Link that runs, and the Receiver of what it delivers.
type rig struct {
	*testing.T
	device proto.DeviceID
	link   *Link
	board  *health.Board
	got    chan message  // what was received
	gate   chan struct{} // Receive waits for it, if it is not nil
	stop   func()        // ends Run and waits for it

	onlines atomic.Int64 // calls of Online

	mu       sync.Mutex
	stranges map[proto.ClientID]bool
}

func (r *rig) Account(c proto.ClientID) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(c), !r.stranges[c]
}

func (r *rig) Online() { r.onlines.Add(1) }

func (r *rig) forget(c proto.ClientID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stranges[c] = true
}

func (r *rig) Receive(ctx context.Context, from proto.ClientID, msg []byte) {
	if r.gate != nil {
		select {
		case <-r.gate:
		case <-ctx.Done():
		}
	}
	r.got <- message{client: from, bytes: msg}
}

// config is for a broker at address whose certificate ca signed.
func config(t *testing.T, address string, ca *pki.CA) Config {
	t.Helper()
	cfg := DefaultConfig()
	path, err := pki.WriteCA(t.TempDir(), "ca", ca)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Broker, cfg.CA = "mqtts://"+address, path
	return cfg
}

// newRig makes a Link that does not run yet. Without a certificate it gets a good one.
func newRig(t *testing.T, cfg Config, ca *pki.CA, cert *tls.Certificate) *rig {
	t.Helper()
	r := &rig{T: t, device: proto.NewDeviceID(), board: health.NewBoard(slog.New(slog.DiscardHandler)),
		got: make(chan message, 4096), stranges: map[proto.ClientID]bool{}}
	if cert != nil {
		r.device = proto.DeviceID(cert.Leaf.Subject.CommonName)
	} else {
		good, err := ca.Device(r.device, nil)
		cert = new(tls.Certificate)
		*cert = linktest.Must(t, good, err)
	}
	var err error
	r.link, err = New(cfg, slog.New(slog.DiscardHandler), r.board, r.device, proto.Status{Online: true, Version: version}, Login{Certificate: *cert})
	if err != nil {
		t.Fatal(err)
	}
	r.link.Deliver(r)
	return r
}

// run starts the Link; it ends with the test at the latest.
func (r *rig) run() *rig {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- r.link.Run(ctx, func() { close(ready) }) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Run() = %v, want nil", err)
		}
	})
	r.Cleanup(r.stop)
	<-ready
	return r
}

func (r *rig) health() health.Status { return r.board.Snapshot()[0] }

func (r *rig) awaitOnline() *rig {
	r.Helper()
	linktest.Until(r, "the link is online", func() bool { return r.health().State == health.OK })
	return r
}

// awaitProblem waits for a health sentence with all of the words.
func (r *rig) awaitProblem(words ...string) {
	r.Helper()
	linktest.Until(r, "the link says "+strings.Join(words, " … "), func() bool {
		s := r.health()
		return s.State == health.Failed && containsAll(s.Reason, words)
	})
}

func containsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}

// receive returns the next message that the receiver got.
func (r *rig) receive() message {
	r.Helper()
	var m message
	linktest.Until(r, "the receiver gets a message", func() bool {
		select {
		case m = <-r.got:
			return true
		default:
			return false
		}
	})
	return m
}

// noneLeft waits until no goroutine of the link or of the MQTT library is left.
func noneLeft(t *testing.T) {
	t.Helper()
	var left string
	defer func() {
		if t.Failed() {
			t.Log(left)
		}
	}()
	linktest.Until(t, "every goroutine of the link has ended", func() bool {
		buf := make([]byte, 1<<20)
		left = ""
		for _, g := range bytes.Split(buf[:runtime.Stack(buf, true)], []byte("\n\n")) {
			s := string(g)
			if strings.Contains(s, "paho.mqtt.golang.") || strings.Contains(s, "pkg/link.(*Link)") || strings.Contains(s, "pkg/link.(*conn)") {
				left += s + "\n\n"
			}
		}
		return left == ""
	})
}
