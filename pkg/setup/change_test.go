package setup

import (
	"context"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// online returns a world with a device that is in a network of its own, and its Setup, running.
func online(t *testing.T) (*world, *Setup) {
	t.Helper()
	w := newWorld(t)
	s := w.open()
	if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("old"), Broker: broker("b")}, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context(), func() {}) }()
	synctest.Wait()
	w.calls = nil
	return w, s
}

// pass lets time go by, and what is to be done then be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// never returns a broker that is not reached, however long somebody waits.
func never(ctx context.Context) error {
	<-ctx.Done()
	return &proto.SetupProblem{Code: proto.CodeBrokerUnreachable}
}

// back does not find the broker in the new network, and does in the old one.
func (w *world) back(ctx context.Context) error {
	if w.where() == "old" {
		return nil
	}
	return never(ctx)
}

// is compares what is in force, now and after a restart.
func (w *world) is(s *Setup, want *proto.WiFi) {
	w.t.Helper()
	if got := s.Settings().WiFi; !reflect.DeepEqual(got, want) {
		w.t.Errorf("in force: %q, want %q", got.SSID, want.SSID)
	}
	copied := w.t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(w.state)); err != nil {
		w.t.Fatal(err)
	}
	other := newWorld(w.t)
	again, err := other.tryOpen(copied)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := again.Settings().WiFi; !reflect.DeepEqual(got, want) {
		w.t.Errorf("after a restart: %q, want %q", got.SSID, want.SSID)
	}
	s.mu.Lock()
	before, tried := s.last, s.tried
	s.mu.Unlock()
	if now := again.last; tried == nil && !reflect.DeepEqual(now, before) {
		w.t.Errorf("after a restart the last change was %+v, and before %+v", now, before)
	}
	if err := again.Close(); err != nil {
		w.t.Error(err)
	}
}

// says returns what the status says of changes, as what works.
func (w *world) says() (reason string) {
	w.t.Helper()
	for _, c := range w.board.Snapshot() {
		if reason += c.Reason; c.State != health.OK {
			w.t.Errorf("the status has %+v", c)
		}
	}
	return reason
}

// A network in which the broker is reached is in force from then on, and no sooner; the
// answer, and what members are told, have time before.
func TestChangeOfWiFi(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := online(t)
		w.takes, w.security = 20*time.Second, proto.SecurityTransition
		w.reconnect = func(context.Context) error { time.Sleep(20 * time.Second); return nil }
		if err := s.Change(*wifi("new"), w); err != nil {
			t.Fatal(err)
		}
		w.expect("before anything is tried", "entry 7")
		if now, err := s.WiFi(t.Context(), false); err != nil || now.Trying != "new" || now.Last != nil || now.Current != nil {
			t.Errorf("while it is tried: %+v, %v", now, err)
		}
		if err := s.Change(*wifi("third"), w); !isRefusal(err, proto.CodeBusy) {
			t.Errorf("another one meanwhile: %v", err)
		}
		if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("third")}, none, w.enroll); !isProblem(err, proto.CodeBusy) {
			t.Errorf("another one by pairing: %v", err)
		}
		if _, err := s.WiFi(t.Context(), true); !isRefusal(err, proto.CodeBusy) {
			t.Errorf("a look meanwhile: %v", err)
		}
		w.expect("meanwhile")
		pass(leaveTime + 39*time.Second)
		w.is(s, wifi("old"))
		pass(2 * time.Second)
		w.expect("in the end", "join new", "reconnect in new", "keep new")
		want := wifi("new")
		want.Security = proto.SecurityTransition
		w.is(s, want)
		now, err := s.WiFi(t.Context(), false)
		if err != nil || now.Trying != "" || now.Current == nil || now.Current.SSID != "new" || now.Last.Code != proto.CodeOK || now.Last.Entry != 7 || now.Last.SSID != "new" {
			t.Errorf("%+v, %+v, %v", now, now.Last, err)
		}
		if got := w.says(); got != "" {
			t.Errorf("the status says %q", got)
		}
	})
}

// Whatever goes wrong, within a minute the device is in the network of before, and says why.
func TestAChangeThatDoesNotWork(t *testing.T) {
	left := []string{"join new", "keep old", "not taken 7", "reconnect in old"}
	tried := []string{"join new", "reconnect in new", "keep old", "not taken 7", "reconnect in old"}
	for name, c := range map[string]struct {
		change func(*world)
		code   proto.Code
		within time.Duration
		calls  []string
	}{
		"password":                 {func(w *world) { w.join = &proto.SetupProblem{Code: proto.CodeWiFiPassword} }, proto.CodeWiFiPassword, 0, left},
		"no address in time":       {func(w *world) { w.takes = time.Hour }, proto.CodeWiFiNoAddress, changeTime, left},
		"no broker in time":        {func(w *world) { w.takes, w.reconnect = 50*time.Second, w.back }, proto.CodeBrokerUnreachable, changeTime, tried},
		"a fault of the radio":     {func(w *world) { w.join = errors.New("D-Bus") }, proto.CodeInternal, 0, left},
		"not through this network": {func(w *world) { w.reconnect = func(context.Context) error { w.moves(""); return nil } }, proto.CodeWiFiRefused, 0, []string{"join new", "reconnect in new", "keep old", "not taken 7", "reconnect in old"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := online(t)
				c.change(w)
				if err := s.Change(*wifi("new"), w); err != nil {
					t.Fatal(err)
				}
				pass(leaveTime + c.within + time.Second)
				w.expect("", append([]string{"entry 7"}, c.calls...)...)
				w.is(s, wifi("old"))
				now, err := s.WiFi(t.Context(), false)
				if err != nil || now.Trying != "" || now.Last == nil || now.Last.Code != c.code || now.Last.Reason == "" || now.Last.SSID != "new" {
					t.Errorf("%+v, %+v, %v", now, now.Last, err)
				}
				if got := w.says(); !strings.Contains(got, c.code.Sentence()) || strings.Contains(got, "new") {
					t.Errorf("the status says %q", got)
				}
				// The next one works, and the status is as it was.
				w.join, w.reconnect, w.takes = nil, nil, 0
				if err := s.Change(*wifi("third"), w); err != nil {
					t.Fatal(err)
				}
				pass(leaveTime + time.Second)
				w.is(s, wifi("third"))
				if got := w.says(); got != "" {
					t.Errorf("the status still says %q", got)
				}
			})
		})
	}
}

// TestPowerCutWhileTheWiFiIsChanged looks at what each durable write leaves: the old
// network until the broker was reached through the new one.
func TestPowerCutWhileTheWiFiIsChanged(t *testing.T) {
	for name, works := range map[string]bool{"to one that works": true, "to one that does not": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := online(t)
				type cut struct {
					name, state string
					want        *proto.WiFi
					untold      bool // the log does not say yet that it did not work
				}
				var cuts []cut
				var mu sync.Mutex
				snapshot := func(name string, want *proto.WiFi, untold bool) {
					mu.Lock()
					defer mu.Unlock()
					state := t.TempDir()
					if err := os.CopyFS(state, os.DirFS(w.state)); err != nil {
						t.Fatal(err)
					}
					cuts = append(cuts, cut{name, state, want, untold})
				}
				w.reconnect = func(context.Context) error {
					in := w.where()
					snapshot("in the network "+string(in), wifi("old"), in == "new")
					if !works && in == "new" {
						return &proto.SetupProblem{Code: proto.CodeNoInternet}
					}
					return nil
				}
				snapshot("before", wifi("old"), false)
				if err := s.Change(*wifi("new"), w); err != nil {
					t.Fatal(err)
				}
				snapshot("written down", wifi("old"), true)
				pass(leaveTime + time.Second)
				snapshot("after", map[bool]*proto.WiFi{true: wifi("new"), false: wifi("old")}[works], false)
				for _, c := range cuts {
					for i := range 2 { // and a cut while that is made good
						w.calls = nil
						again, err := w.tryOpen(c.state)
						if err != nil {
							t.Fatalf("%s: %v", c.name, err)
						}
						if got := again.Settings(); !reflect.DeepEqual(got.WiFi, c.want) || got.Broker == nil {
							t.Errorf("%s: in force %+v", c.name, got.WiFi)
						}
						if _, pending, err := again.keep.read(); err != nil || pending != nil {
							t.Errorf("%s: still pending: %v", c.name, err)
						}
						if c.untold {
							if again.last == nil || again.last.Code != proto.CodeInternal || !strings.Contains(again.last.Reason, "restarted before") {
								t.Errorf("%s: what became of it: %+v", c.name, again.last)
							}
							if i == 0 {
								w.expect(c.name, "not taken 7")
							}
						}
						ctx, cancel := context.WithCancel(t.Context())
						if err := again.Run(ctx, cancel); err != nil {
							t.Error(err)
						}
						if in := w.where(); in != c.want.SSID {
							t.Errorf("%s: started in %q", c.name, in)
						}
						if err := again.Close(); err != nil {
							t.Fatal(err)
						}
					}
				}
			})
		})
	}
}

// camd ends while a network is tried: nothing is undone any more, the next start does it.
func TestCamdEndsDuringAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.open()
		if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("old"), Broker: broker("b")}, none, w.enroll); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx, func() {}) }()
		synctest.Wait()
		w.reconnect = never
		if err := s.Change(*wifi("old"), w); err != nil { // of the same name, with another password
			t.Fatal(err)
		}
		pass(leaveTime + time.Second)
		w.calls = nil
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.expect("at the end")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = w.open()
		ctx, cancel = context.WithCancel(t.Context())
		if err := s.Run(ctx, cancel); err != nil {
			t.Error(err)
		}
		w.expect("at the start", "not taken 7", "keep none", "keep old")
	})
}

// While somebody pairs the radio may be theirs.
func TestWiFiWhileSomebodyPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := online(t)
		w.broker = func(Settings) error {
			if err := s.Change(*wifi("third"), w); !isRefusal(err, proto.CodeBusy) {
				t.Errorf("a change: %v", err)
			}
			if _, err := s.WiFi(t.Context(), true); !isRefusal(err, proto.CodeBusy) {
				t.Errorf("a look: %v", err)
			}
			if now, err := s.WiFi(t.Context(), false); err != nil || now.Current != nil || now.Trying != "" {
				t.Errorf("the status: %+v, %v", now, err)
			}
			return nil
		}
		if err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("new")}, none, w.enroll); err != nil {
			t.Fatal(err)
		}
		if now, err := s.WiFi(t.Context(), false); err != nil || now.Current == nil || now.Current.SSID != "new" {
			t.Errorf("afterwards: %+v, %v", now, err)
		}
	})
}

// A device whose Wi-Fi is not the household's says so, and logs nothing.
func TestWiFiThatCannotBeChanged(t *testing.T) {
	for name, absent := range map[string]bool{"no Wi-Fi": true, "Wi-Fi that nobody set up": false} {
		w := newWorld(t)
		w.absent = absent
		s := w.open()
		for what, err := range map[string]error{
			"change": s.Change(*wifi("new"), w),
			"look":   func() error { _, err := s.WiFi(t.Context(), true); return err }(),
		} {
			if !isProblem(err, proto.CodeNoWiFi) || absent == strings.Contains(err.Error(), "Pair at the camera") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		w.expect(name)
	}
}

// What can't be meant, logged or written down is not tried, and the next one may come.
func TestAChangeThatIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := online(t)
		short := *wifi("new")
		short.Password = "short"
		if err := s.Change(short, w); !isProblem(err, proto.CodeWiFiPassword) {
			t.Errorf("a short password: %v", err)
		}
		if err := s.Change(*wifi("new"), silent{}); !isRefusal(err, proto.CodeStorage) {
			t.Errorf("not logged: %v", err)
		}
		w.expect("nothing is tried")
		if err := s.Change(*wifi("new"), w); err != nil {
			t.Errorf("the next one: %v", err)
		}
		pass(leaveTime + time.Second)
		w.calls = nil
		if err := s.Close(); err != nil { // each write fails now
			t.Fatal(err)
		}
		if err := s.Change(*wifi("third"), w); !isRefusal(err, proto.CodeStorage) {
			t.Errorf("not written down: %v", err)
		}
		w.expect("not written down", "entry 8", "not taken 8")
	})
}

// silent is a log that can't be written.
type silent struct{}

func (silent) Begun() (uint64, error) { return 0, proto.Refuse(proto.CodeStorage) }

func isRefusal(err error, code proto.Code) bool {
	var r *proto.Refusal
	return errors.As(err, &r) && r.Code == code
}
