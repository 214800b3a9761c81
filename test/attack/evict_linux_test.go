package attack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// evictVariable names the state folder in the environment of the child that evicts.
const evictVariable = "CAMD_TEST_EVICT"

// evict is the child: what camd does when the button was held, without the ten
// seconds that are counted down. It says how far it has come.
func evict(state string) error {
	a, err := openState(context.Background(), state)
	if err != nil {
		return err
	}
	gate := a.NewGate(auth.Deps{Sender: nowhere{}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ready, over := make(chan struct{}), make(chan error, 1)
	go func() { over <- gate.Run(ctx, func() { close(ready) }) }()
	<-ready
	fmt.Println("ready")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	if err := a.Evict(); err != nil {
		return err
	}
	fmt.Println("evicted")
	cancel()
	if err := <-over; err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	if a, err = openState(context.Background(), state); err != nil {
		return err
	}
	return a.Close()
}

// nowhere sends nothing.
type nowhere struct{}

func (nowhere) Send(proto.ClientID, []byte) error { return nil }

func (nowhere) Notify(_ proto.ClientID, _ []byte, done func(error)) error { done(nil); return nil }

func openState(ctx context.Context, state string) (*auth.Authority, error) {
	log := slog.New(slog.DiscardHandler)
	return auth.Open(ctx, auth.Config{State: state, Household: auth.DefaultHousehold(),
		Check: func(_ context.Context, path string) error { return store.CheckFile(path) }}, log, health.NewBoard(log))
}

// cutEviction kills the child at its n-th write. It tells whether the eviction was
// reported done, and whether the next epoch began without a cut.
func cutEviction(t *testing.T, state string, n int) (evicted, whole bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), evictVariable+"="+state)
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
	evicted = lines.Scan() && lines.Text() == "evicted"
	lines.Scan()     // the end
	<-k.done         //nolint:errcheck // how it ended is in k
	_ = child.Wait() // the killer has seen its end already
	return evicted, !k.hit
}

// inMemory is a folder in memory, where that is possible: a kill is no power cut, so
// that it shows the same and an eviction's many syncs take no time.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "camd-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestT16KilledAtEveryWriteOfAnEviction(t *testing.T) {
	h := newHome(t)
	h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	h.stop()
	seen := map[string]int{}
	dir := inMemory(t)
	for n, whole := 1, false; !whole; n++ {
		state := filepath.Join(dir, strconv.Itoa(n))
		copyTo(t, state, h.State())
		var evicted bool
		evicted, whole = cutEviction(t, state, n)
		_, marked := os.Stat(filepath.Join(state, "pending"))
		a, err := openState(t.Context(), state)
		if err != nil {
			t.Errorf("killed at write %d: %v", n, err)
			continue
		}
		epoch, reason := a.Epoch()
		members := len(a.Members())
		switch {
		case epoch == 1 && members == 2 && marked != nil && !evicted:
			seen["old"]++
		case epoch > 1 && members == 0 && marked == nil:
			seen["begun"]++
		case epoch > 1 && members == 0:
			seen["done"]++
		default:
			t.Errorf("killed at write %d: epoch %d (%s), %d members; marked: %v; reported done: %v", n, epoch, reason, members, marked == nil, evicted)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("seen: %v", seen)
	if seen["old"] == 0 || seen["begun"] == 0 || seen["done"] == 0 {
		t.Errorf("some cut must come before the mark, some after it, some at the end: %v", seen)
	}
}
