package attack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/store"
)

// wifiVariable names the state folder in the environment of the child that changes its
// Wi-Fi, wifiLeads whether the new network leads to the broker.
const (
	wifiVariable = "CAMD_TEST_WIFI"
	wifiLeads    = "CAMD_TEST_WIFI_LEADS"
)

// roaming is a camera's radio and link; in a network that leads nowhere it reaches nothing.
type roaming struct {
	leads bool

	mu sync.Mutex
	in proto.SSID
}

func (*roaming) Networks(context.Context) ([]proto.Network, error) { return nil, nil }

func (r *roaming) Join(ctx context.Context, w proto.WiFi, _ func(proto.SetupStep)) (proto.WiFi, error) {
	return w, r.Keep(ctx, &w)
}

func (r *roaming) Keep(_ context.Context, w *proto.WiFi) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.in = ""
	if w != nil {
		r.in = w.SSID
	}
	return nil
}

func (r *roaming) current(context.Context) (*proto.Network, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &proto.Network{SSID: r.in}, nil
}

func (r *roaming) Reconnect(ctx context.Context) error {
	if in, _ := r.current(ctx); in.SSID == "old" || r.leads {
		return nil
	}
	return &proto.SetupProblem{Code: proto.CodeNoInternet}
}

// logged is an access log that always has room.
type logged struct{}

func (logged) Begun() (uint64, error) { return 7, nil }

func openWiFi(ctx context.Context, state string, r *roaming) (*setup.Setup, error) {
	log := slog.New(slog.DiscardHandler)
	own, err := setup.Open(ctx, setup.Config{State: state, Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}, log,
		setup.Deps{Radio: r, HasWiFi: func() bool { return true }, InNetwork: r.current, Board: health.NewBoard(log), NotTaken: func(uint64) {},
			Supplied: func() string { return "by hand" }, Member: func(proto.ClientID) bool { return true }})
	if err == nil {
		own.Reach(r)
	}
	return own, err
}

func network(name proto.SSID) *proto.WiFi { return &proto.WiFi{SSID: name, Password: "correct horse"} }

// changeWiFi is the child: what camd does when an owner has it change its Wi-Fi. It says
// how far it has come.
func changeWiFi(state string) error {
	r := &roaming{leads: os.Getenv(wifiLeads) != ""}
	own, err := openWiFi(context.Background(), state, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- own.Run(ctx, func() {}) }()
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	if err := own.Change(*network("new"), logged{}); err != nil {
		return err
	}
	for {
		now, err := own.WiFi(ctx, false)
		if err != nil {
			return err
		}
		if now.Trying == "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println(own.Settings().WiFi.SSID)
	cancel()
	return errors.Join(<-over, own.Close())
}

// cutChange kills the child at its n-th write. It returns the network that the child said
// to be in force in the end, and whether there was no cut.
func cutChange(t *testing.T, state string, leads bool, n int) (said string, whole bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), wifiVariable+"="+state)
	if leads {
		child.Env = append(child.Env, wifiLeads+"=yes")
	}
	child.Stderr = os.Stderr
	in, inErr := child.StdinPipe()
	out, outErr := child.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the child says %q", lines.Text())
	}
	k := kill(t, child.Process.Pid, n)
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		said = lines.Text()
	}
	lines.Scan()     // the end
	<-k.done         //nolint:errcheck // how it ended is in k
	_ = child.Wait() // the killer has seen its end already
	return said, !k.hit
}

// TestT16KilledAtEveryWriteOfAChangeOfWiFi: a camera that loses its power while its Wi-Fi is
// changed has the old network or the new one, and the new one only if it leads to the
// broker.
func TestT16KilledAtEveryWriteOfAChangeOfWiFi(t *testing.T) {
	dir := inMemory(t)
	before := filepath.Join(dir, "before")
	if err := os.MkdirAll(filepath.Join(before, "store"), 0o700); err != nil {
		t.Fatal(err)
	}
	own, err := openWiFi(t.Context(), before, &roaming{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(own.Apply(t.Context(), "anna", proto.SetupSettings{WiFi: network("old")}, func(proto.SetupStep) {}, func() error { return nil }), own.Close()); err != nil {
		t.Fatal(err)
	}
	for name, leads := range map[string]bool{"that leads to the broker": true, "that does not": false} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			for n, whole := 1, false; !whole; n++ {
				if n > maxWrites {
					t.Fatal("it never ends")
				}
				state := filepath.Join(dir, strconv.FormatBool(leads)+strconv.Itoa(n))
				copyTo(t, state, before)
				var said string
				said, whole = cutChange(t, state, leads, n)
				own, err := openWiFi(t.Context(), state, &roaming{})
				if err != nil {
					t.Fatalf("killed at write %d: %v", n, err)
				}
				got := string(own.Settings().WiFi.SSID)
				seen[got]++
				if said != "" {
					seen["said "+said]++
				}
				if got != "old" && (got != "new" || !leads) || said != "" && said != got {
					t.Errorf("killed at write %d: %q is in force, and it said %q", n, got, said)
				}
				if now, err := own.WiFi(t.Context(), false); err != nil || now.Trying != "" || got == "new" && now.Last.Code != proto.CodeOK {
					t.Errorf("killed at write %d: %+v, %v", n, now, err)
				}
				if err := own.Close(); err != nil {
					t.Error(err)
				}
			}
			t.Logf("seen: %v", seen)
			want := []string{"old", "said old"}
			if leads {
				want = []string{"old", "new", "said new"}
			}
			for _, what := range want {
				if seen[what] == 0 {
					t.Errorf("some cut must come before, some after the change: %v", seen)
				}
			}
		})
	}
}
