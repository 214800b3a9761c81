package attack

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// outOfItsBox is a camera that nobody has set up, and its state folder as it was then.
type outOfItsBox struct {
	*rig.Rig
	state string
}

// setUp takes keys through the pairing, and sets broker and certificate.
func (b outOfItsBox) setUp(keys *home.Keys) error {
	ctx, cancel := context.WithTimeout(b.TB.Context(), rig.Patience)
	defer cancel()
	conn, err := client.Join(ctx, b.Socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = client.SetUp(ctx, conn, b.Label, keys, nil, func(_ context.Context, t *pairing.Talk) (home.Broker, error) {
		r, err := t.Ask(proto.SetupDoRequest)
		if err != nil {
			return home.Broker{}, err
		}
		_, crt, err := b.CA.CertifyRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.Request}))
		if err != nil {
			return home.Broker{}, err
		}
		block, _ := pem.Decode(crt)
		return b.Login(keys), t.Set(proto.SetupSettings{Broker: &proto.SetupBroker{URL: b.URL(), CA: string(b.CA.PEM())}, Chain: [][]byte{block.Bytes}}, nil)
	})
	return err
}

// owned reports whether somebody is enrolled.
func (b outOfItsBox) owned() bool {
	b.TB.Helper()
	line, err := client.Ask(b.TB.Context(), b.Socket, map[string]string{"cmd": "members"})
	var a struct{ Members []proto.Member }
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		b.TB.Fatal(err)
	}
	return len(a.Members) > 0
}

// cut kills camd at its n-th write after the window was opened, starts it again, and
// returns whether the client was told that it is paired, whether the camera is set up with
// an owner, and whether all writes were carried out.
func (b outOfItsBox) cut(t *testing.T, n int) (told, done, whole bool) {
	t.Helper()
	putBack(t, b.State(), b.state)
	b.Start()
	b.OpenWindow("Anna")
	k := kill(t, b.PID(), n)
	told = b.setUp(newKeys(t)) == nil
	if told { // camd begins anew, and what that writes counts
		for gone := false; !gone; {
			select {
			case err := <-k.done:
				k.done <- err
				gone = true
			default:
				gone = b.Condition("broker").State == "ok"
			}
		}
	}
	_ = syscall.Kill(b.PID(), syscall.SIGKILL) // it may be gone by now
	<-k.done                                   //nolint:errcheck // how it ended is in k
	_ = b.Wait()
	b.Start()
	done = b.owned()
	if done {
		b.Online()
	} else if c := b.Condition("broker"); !strings.Contains(c.Reason, "not set up yet") {
		t.Errorf("killed at write %d: nobody is enrolled, and the broker is %+v", n, c)
	}
	if err := b.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("killed at write %d, and then stopped: %v", n, err)
	}
	return told, done, !k.hit
}

// TestT16KilledAtEveryWriteOfASetup: a camera that loses its power while it is set up has
// an owner and its broker, or neither.
func TestT16KilledAtEveryWriteOfASetup(t *testing.T) {
	r := rig.NewBare(t, "[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"off\"\n")
	r.Start()
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b := outOfItsBox{r, filepath.Join(t.TempDir(), "state")}
	copyTo(t, b.state, r.State())
	seen := map[string]int{}
	for n, whole := 1, false; !whole; n++ {
		if n > maxWrites {
			t.Fatal("it never ends")
		}
		var told, done bool
		told, done, whole = b.cut(t, n)
		switch {
		case told && !done:
			t.Errorf("killed at write %d: the owner was told that it is paired, and is not", n)
		case told:
			seen["told"]++
		case done:
			seen["new"]++
		default:
			seen["old"]++
		}
	}
	t.Logf("seen: %v", seen)
	if seen["old"] == 0 || seen["new"] == 0 || seen["told"] == 0 {
		t.Errorf("some cut must come before, some after the change, and some after the receipt: %v", seen)
	}
}
