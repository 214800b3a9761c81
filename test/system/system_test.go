package system

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

const synthetic = "[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 180\nrate = 10\n[audio]\nsource = \"tone\"\n"

// watcher counts what a session brings.
type watcher struct {
	session      *client.Session
	video, audio atomic.Int64
	firstPicture chan client.Frame
}

func watch(t *testing.T, c *client.Camera) (*watcher, error) {
	t.Helper()
	w := &watcher{firstPicture: make(chan client.Frame, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	var err error
	w.session, err = c.Watch(ctx, client.WatchOptions{
		Video: func(f client.Frame) {
			w.video.Add(1)
			select {
			case w.firstPicture <- f:
			default:
			}
		},
		Audio: func(client.Frame) { w.audio.Add(1) },
	})
	if err == nil {
		t.Cleanup(w.session.Close)
	}
	return w, err
}

func mustWatch(t *testing.T, c *client.Camera) *watcher {
	t.Helper()
	w, err := watch(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *watcher) picture(t *testing.T) client.Frame {
	t.Helper()
	select {
	case f := <-w.firstPicture:
		return f
	case <-w.session.Done():
		t.Fatalf("the session ended without a picture: %v", w.session.Err())
	case <-time.After(rig.Patience):
		t.Fatal("no picture")
	}
	return client.Frame{}
}

func TestOwnerSeesAndHears(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	camera := r.Owner()
	w := mustWatch(t, camera)
	f := w.picture(t)
	if !f.Key {
		t.Error("the first picture is no keyframe")
	}
	sps, err := avc.ParseSPS(avc.SetsIn(f.Data).SPS(f.Data))
	if err != nil || sps.Width != 320 || sps.Height != 180 {
		t.Errorf("the picture is %dx%d (%v), want 320x180", sps.Width, sps.Height, err)
	}
	r.Until("20 pictures and 50 audio frames have come", func() bool { return w.video.Load() >= 20 && w.audio.Load() >= 50 })

	s, err := r.Status()
	if err != nil || len(s.Sessions) != 1 || s.Sessions[0].Client != camera.Keys().ID() || s.Sessions[0].Name != "Anna" {
		t.Errorf("status names the viewers %+v (%v), want Anna alone", s.Sessions, err)
	}
	w.session.Close()
	r.Until("the session is gone from the status", func() bool { s, err := r.Status(); return err == nil && len(s.Sessions) == 0 })
}

func TestStatusReachesTheOwner(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	a, err := r.Owner().Call(ctx, proto.OpStatus, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(a.Body, []byte(r.Device)) || !bytes.Contains(a.Body, []byte(`"identity":"C1"`)) {
		t.Errorf("status says %s", a.Body)
	}
}

// TestKeysThatDidNotPairGetNothing is T1's core: everything that a broker's
// administrator has, and no key that was enrolled.
func TestKeysThatDidNotPairGetNothing(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	owner := r.Owner()
	stranger, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	record := owner.Record()
	record.Broker = withLogin(record.Broker, r.Login(stranger))
	c := r.Dial(stranger, record)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := c.Watch(ctx, client.WatchOptions{Video: func(client.Frame) { t.Error("a stranger got a picture") }}); err == nil {
		t.Error("a stranger got a session")
	}
	if s, err := r.Status(); err != nil || len(s.Sessions) != 0 {
		t.Errorf("sessions after a stranger's request: %+v, %v", s.Sessions, err)
	}
	for _, s := range r.Sockets() {
		if !s.Outbound() {
			t.Errorf("a stranger's request opened %v", s)
		}
	}
}

func withLogin(b, login home.Broker) home.Broker {
	b.Certificate, b.Key = login.Certificate, login.Key
	return b
}

func TestPairingIsRefused(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("outside the window", func(t *testing.T) {
		if _, err := r.Join(keys, r.Label); err == nil {
			t.Error("paired though no window was opened")
		}
	})
	t.Run("for a second key of an owned camera", func(t *testing.T) { // T12
		r.OpenWindow("Anna")
		if _, err := r.Join(keys, r.Label); err != nil {
			t.Fatal(err)
		}
		second, err := home.NewKeys()
		if err != nil {
			t.Fatal(err)
		}
		r.OpenWindow("Eve")
		if _, err := r.Join(second, r.Label); err == nil || !strings.Contains(err.Error(), "owner") {
			t.Errorf("a second key paired, or was refused without a reason: %v", err)
		}
	})
	t.Run("but not for the owner's own key", func(t *testing.T) {
		r.OpenWindow("Anna")
		record, err := r.Join(keys, r.Label)
		if err != nil || record.Device != r.Device {
			t.Errorf("pairing again gave %v, %v", record, err)
		}
	})
}

func TestASignalEndsSessionsAndLeavesNothing(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) { endsInOrder(t, s) })
	}
}

func endsInOrder(t *testing.T, s syscall.Signal) {
	// Under nohup camd would rightly inherit that hang-ups are ignored.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, s)
	defer signal.Stop(asked)
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	w := mustWatch(t, r.Owner())
	w.picture(t)
	if err := r.Signal(s); err != nil {
		t.Errorf("camd ended with %v, want exit code 0", err)
	}
	select {
	case <-w.session.Done():
	case <-time.After(rig.Patience):
		t.Error("the viewer's session goes on after camd has ended")
	}
	if _, err := os.Stat(r.Socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestOwnerWatchesAgainAfterACrash(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	camera := r.Owner()
	mustWatch(t, camera).picture(t)
	if err := r.Signal(syscall.SIGKILL); err == nil {
		t.Fatal("SIGKILL left exit code 0")
	}
	r.Start()
	r.Online()
	mustWatch(t, camera).picture(t)
}

func TestOwnerWatchesAgainAfterTheBrokerRestarted(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	camera := r.Owner()
	w := mustWatch(t, camera)
	w.picture(t)
	r.StopBroker()
	r.Until("camd says that the broker is away", func() bool { return r.Condition("broker").State == "failed" })
	before := w.video.Load()
	r.Until("the session lives on without a broker", func() bool { return w.video.Load() > before+10 })
	r.StartBroker()
	r.Online()
	var second *watcher
	r.Until("the owner is connected again", func() bool {
		var err error
		second, err = watch(t, camera)
		return err == nil
	})
	second.picture(t)
}

func TestDamagedStoreBeginsANewEpochAndNeverACrashLoop(t *testing.T) {
	for _, name := range []string{"trust.db", "log.db"} {
		t.Run(name, func(t *testing.T) {
			r := rig.New(t, synthetic)
			r.Start()
			r.Online()
			first := r.Owner()
			if err := r.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(r.State(), "store", name)
			damage(t, path)
			r.Start()
			r.Online()
			if c := r.Condition("auth"); c.State != "degraded" || !strings.Contains(c.Reason, "pair again") {
				t.Errorf("condition auth is %+v, want degraded with what to do", c)
			}
			if bad, err := filepath.Glob(path + ".bad*"); err != nil || len(bad) != 1 {
				t.Errorf("set aside: %v, %v, want one file", bad, err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if _, err := first.Call(ctx, proto.OpStatus, "", nil); err == nil {
				t.Error("a key of the old epoch is answered")
			}
			again := r.Owner()
			if e := again.Record().Epoch; e != first.Record().Epoch+1 {
				t.Errorf("the new epoch is %d, want %d", e, first.Record().Epoch+1)
			}
			mustWatch(t, again).picture(t)
		})
	}
}

// damage overwrites what follows the file's two meta pages.
func damage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2 * os.Getpagesize(); i < len(b); i++ {
		b[i] ^= 0x5a
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSessionsAreLimited(t *testing.T) {
	r := rig.New(t, synthetic+"[live]\nmax_sessions = 2\n")
	r.Start()
	r.Online()
	camera := r.Owner()
	mustWatch(t, camera).picture(t)
	second := mustWatch(t, camera)
	second.picture(t)
	_, err := watch(t, camera)
	var refused *client.Refused
	if !errors.As(err, &refused) || refused.Code != proto.CodeTooManySessions {
		t.Fatalf("the third session: %v, want too_many_sessions", err)
	}
	second.session.Close()
	r.Until("there is room for a session again", func() bool { _, err := watch(t, camera); return err == nil })
}

// Guests take neither each other's places nor the owner's.
func TestGuestsLeavePlaces(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	camera := r.Owner()
	gina, gus := r.Invite(camera, proto.Grant{Name: "Gina"}), r.Invite(camera, proto.Grant{Name: "Gus"})
	for _, c := range []struct {
		who  *client.Camera
		code proto.Code // empty: gets a session
	}{{gina, ""}, {gina, ""}, {gina, proto.CodeTooManyOwn}, {gus, proto.CodeTooManyOwn}, {camera, ""}, {camera, ""}, {camera, proto.CodeTooManySessions}} {
		_, err := watch(t, c.who)
		var refused *client.Refused
		if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &refused) || refused.Code != c.code) {
			t.Fatalf("%v, want %q", err, c.code)
		}
	}
}
