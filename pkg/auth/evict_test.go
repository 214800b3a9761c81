package auth

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// oldHome is what members keep of a household that ended.
type oldHome struct {
	keys *householdKeys
	anna *person
}

// exists reports whether a file is there.
func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// ended checks that a house is of a new household, with nobody in it, and that its
// identity says why.
func (h *house) ended(old oldHome, reason string) {
	h.t.Helper()
	if h.a.keys.epoch <= old.keys.epoch || h.a.Owned() || h.a.keys.reason != reason {
		h.t.Errorf("epoch %d, owned %v, because %q", h.a.keys.epoch, h.a.Owned(), h.a.keys.reason)
	}
	if exists(h.t, filepath.Join(h.cfg.State, filePending)) || exists(h.t, epochFolder(h.cfg.State, old.keys.epoch)) {
		h.t.Error("something is left to be done")
	}
	if e := h.entries(0)[0]; e.Kind != accesslog.KindEpoch || e.Reason != reason || e.Epoch != h.a.keys.epoch {
		h.t.Errorf("entry 0: %+v", e)
	}
	text, err := h.a.Statement()
	if err != nil {
		h.t.Fatal(err)
	}
	identity, _ := h.a.Identity().Signer().Public().(*ecdsa.PublicKey)
	if s, err := envelope.VerifyEpoch([]byte(text), identity); err != nil || s.Epoch != h.a.keys.epoch || s.Reason != reason || s.Trio != string(h.a.keys.trio) {
		h.t.Errorf("statement: %+v, %v", s, err)
	}
	msg, err := envelope.SealRequest(old.anna.request(proto.OpHello, nil, func(r *proto.Request) { r.Epoch = old.keys.epoch }), old.anna.sig, old.keys.enc.PublicKey())
	if err != nil {
		h.t.Fatal(err)
	}
	h.gate.Receive(h.t.Context(), old.anna.id, msg)
	synctest.Wait()
	if l := h.out.take(); len(l) != 0 || h.gate.Drops().Garbled == 0 {
		h.t.Errorf("a message of the old household: %d answers, %+v", len(l), h.gate.Drops())
	}
}

// Eviction: nobody sees any more when it returns, everyone is told, and the next start
// begins an epoch with nobody in it. Settings and privacy mode stay.
func TestEvict(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("porch"), TimeZone: new("Europe/Berlin")})
		openWindow(t, h.a, time.Hour)
		h.linger = make(chan struct{})
		s := carl.watch("s1", proto.ScopeView)
		h.deliver()
		for _, p := range []*person{anna, bob, carl, dora} {
			p.notices = nil
		}
		done := make(chan error, 1)
		go func() { done <- h.a.Evict() }()
		synctest.Wait()
		if len(done) != 0 || s.ctx.Err() == nil {
			t.Errorf("returned while packets leave: right %v", s.ctx.Err())
		}
		carl.send(carl.request(proto.OpLive, view(proto.ScopeView), in("s2"))) // nothing begins any more
		synctest.Wait()
		close(h.linger)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		h.deliver()
		if !s.over() || s.reason != string(proto.CodeRevoked) || len(h.streams) != 1 {
			t.Errorf("over %v, reason %q, %d sessions", s.over(), s.reason, len(h.streams))
		}
		if h.a.WindowState().Open {
			t.Error("the pairing window is open")
		}
		for _, p := range []*person{anna, bob, carl, dora} {
			if got := p.heard(); !slices.Contains(got, accesslog.KindEvict) {
				t.Errorf("%s hears of %v", p.name, got)
			}
		}
		anna.want(proto.CodeRevoked, proto.OpGrant, h.stranger("Eve").grant(proto.RoleGuest)) // nothing changes any more
		if _, err := h.a.ChangeSettings(proto.SettingsChange{Name: new("attic")}); !refused(err, proto.CodeRevoked) {
			t.Errorf("settings: %v", err)
		}
		old, index := oldHome{keys: h.a.keys, anna: anna}, h.size()
		if err := h.a.SetPrivacy(true); !refused(err, proto.CodeRevoked) || !h.a.Settings().Privacy { // it closes all the same
			t.Errorf("privacy: %v", err)
		}
		h.deeds()
		h.restart()
		h.ended(old, reasonEvicted)
		if s := h.a.Settings(); s.Name != "porch" || s.TimeZone != "Europe/Berlin" {
			t.Errorf("settings: %+v", s)
		}
		l, err := h.a.LogPage(1, 0)
		if err != nil || l.Size < index || l.Records[2].Text == "" {
			t.Errorf("the old log: %d of %d, %v", l.Size, index, err)
		}
		zoe := h.owner("Zoe") // someone else can pair, and does not read it
		if l, _ := allRecords(t, zoe); len(l) != 2 {
			t.Errorf("a member of the new household reads %+v", l)
		}
		h.deliver()
		if exists(t, h.file(fileTrust)+".bad") {
			t.Error("members were set aside")
		}

		// What could not be sent before is sent when the broker is reached, once.
		h.gate.Online()
		last := h.out.take()
		for _, p := range []*person{anna, bob, carl, dora} {
			i := slices.IndexFunc(last, func(m sent) bool { return m.to == p.id })
			if i < 0 {
				t.Errorf("%s gets no last notice", p.name)
				continue
			}
			o, err := envelope.OpenOut(last[i].msg, p.enc, &old.keys.sig.PublicKey)
			if err != nil || o.Notice == nil || o.Notice.Epoch != 1 || o.Notice.Audience != p.id {
				t.Fatalf("%s gets %+v, %v", p.name, o.Notice, err)
			}
			if e, err := accesslog.Parse([]byte(o.Notice.Entry)); err != nil || e.Kind != accesslog.KindEvict {
				t.Errorf("%s gets %+v, %v", p.name, e, err)
			}
		}
		h.gate.Online()
		h.restart()
		h.gate.Online()
		forZoe := func(m sent) bool { return m.to == zoe.id } // after a restart the newest notice may come again
		if l := slices.DeleteFunc(h.out.take(), forZoe); len(last) != 4 || len(l) != 0 {
			t.Errorf("%d messages, then %d", len(last), len(l))
		}
	})
}

// A last notice that can't be sent stays for the next time.
func TestFarewellIsTriedAgain(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.owner("Anna")
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		h.restart()
		for _, s := range []Sender{deaf{}, lossy{}} {
			h.line.use(s)
			h.gate.Online()
		}
		h.line.use(h.out)
		h.gate.Online()
		if l := h.out.take(); len(l) != 1 {
			t.Errorf("%d messages", len(l))
		}
	})
}

// Privacy mode outlives an eviction: nobody new sees what somebody wanted closed.
func TestEvictKeepsPrivacy(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		anna.must(proto.OpPrivacy, proto.Privacy{On: true})
		if err := h.a.Evict(); err != nil {
			t.Fatal(err)
		}
		h.deeds()
		h.restart()
		if !h.a.Settings().Privacy || !slices.Equal(h.deeds(), []string{"closed"}) {
			t.Errorf("%+v", h.a.Settings())
		}
	})
}

// Neither a log nor members that can't be written keep someone at the device from
// closing it.
func TestEvictWithAFailingStorage(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, _, _ := h.household()
		old := oldHome{keys: h.a.keys, anna: anna}
		h.withoutLog(func() {
			h.withoutTrust(func() {
				if err := h.a.Evict(); err != nil {
					t.Error(err)
				}
			})
		})
		h.restart()
		h.ended(old, reasonEvicted)
	})
}

// markers are bytes that a reset must not leave.
func markers(t *testing.T, h *house, people ...*person) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	for _, path := range []string{h.file(fileSeal), filepath.Join(epochFolder(h.cfg.State, h.a.keys.epoch), fileEnc),
		filepath.Join(epochFolder(h.cfg.State, h.a.keys.epoch), fileSig), filepath.Join(epochFolder(h.cfg.State, h.a.keys.epoch), fileLog)} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m[filepath.Base(path)] = b
	}
	for _, p := range people {
		m[p.name] = []byte(`"` + p.name + `"`) // as JSON has it: three letters alone may stand in any base64
		m["key of "+p.name] = []byte(p.id)
	}
	m["name of the camera"] = []byte("Kinderzimmer")
	return m
}

// leftovers names the markers that are still somewhere below the state folder.
func leftovers(t *testing.T, state string, m map[string][]byte) (l []string) {
	t.Helper()
	err := filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for name, marker := range m {
			if bytes.Contains(b, marker) || strings.Contains(path, string(marker)) {
				l = append(l, name+" in "+path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Reset: the same, and nothing of the household is left in the state folder. T14.
func TestReset(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, dora := h.household()
		anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("Kinderzimmer")})
		h.restart(func() { // an older file that was set aside, and one that was being made
			h.back(fileTrust+".bad", h.copyOf(fileTrust))
			h.back(fileLogs+".new", h.copyOf(fileLogs))
		})
		m := markers(t, h, anna, bob, carl, dora)
		if l := leftovers(t, h.cfg.State, m); len(l) < len(m) {
			t.Fatalf("positive control: %v", l)
		}
		old := oldHome{keys: h.a.keys, anna: anna}
		if err := h.a.Reset(); err != nil {
			t.Fatal(err)
		}
		if got := dora.heard(); !slices.Contains(got, accesslog.KindReset) {
			t.Errorf("Dora hears of %v", got)
		}
		identity, err := os.ReadFile(filepath.Join(h.cfg.State, "identity", "identity.key"))
		if err != nil {
			t.Fatal(err)
		}
		h.restart()
		h.ended(old, reasonReset)
		if l := leftovers(t, h.cfg.State, m); len(l) != 0 {
			t.Errorf("left: %v", l)
		}
		if s := h.a.Settings(); s.Name != "nursery" || len(s.Chosen) != 0 {
			t.Errorf("settings: %+v", s)
		}
		if after, err := os.ReadFile(filepath.Join(h.cfg.State, "identity", "identity.key")); err != nil || !bytes.Equal(after, identity) {
			t.Errorf("the identity changed: %v", err)
		}
		h.gate.Online()
		if l := h.out.take(); len(l) != 0 {
			t.Errorf("%d messages to members that nobody knows any more", len(l))
		}
		h.owner("Zoe")
		h.restart()
		if h.a.keys.epoch != 2 || !h.a.Owned() {
			t.Errorf("the start after: epoch %d, owned %v", h.a.keys.epoch, h.a.Owned())
		}
	})
}

// What a power cut at any step of an eviction or a reset leaves: the next start brings
// it to its end.
func TestPowerCutWhileAnEpochEnds(t *testing.T) {
	zero := func(path string) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, make([]byte, info.Size()), 0o600)
	}
	next := func(h *house) error { // the next epoch's keys, and cut
		_, err := makeHouseholdKeys(h.cfg.State, h.a.Identity(), h.a.keys.epoch+1, "cut")
		return err
	}
	folder := func(h *house, f func(string) error) error {
		return errors.Join(f(filepath.Join(epochFolder(h.cfg.State, 1), fileEnc)), f(filepath.Join(epochFolder(h.cfg.State, 1), fileSig)))
	}
	for name, cut := range map[string]func(h *house) error{
		"nothing is done":                func(*house) error { return nil },
		"members are half overwritten":   func(h *house) error { return overwrite(h.file(fileTrust), 4096) },
		"members are overwritten":        func(h *house) error { return zero(h.file(fileTrust)) },
		"members are gone":               func(h *house) error { return os.Remove(h.file(fileTrust)) },
		"keys are made, members gone":    func(h *house) error { return errors.Join(os.Remove(h.file(fileTrust)), next(h)) },
		"keys are made, members there":   next,
		"the sealing key is overwritten": func(h *house) error { return zero(h.file(fileSeal)) },
		"the sealing key is gone":        func(h *house) error { return os.Remove(h.file(fileSeal)) },
		"the store is gone":              func(h *house) error { return os.RemoveAll(filepath.Dir(h.file(fileSeal))) },
		"household keys are overwritten": func(h *house) error { return folder(h, zero) },
		"household keys are gone":        func(h *house) error { return folder(h, os.Remove) },
		"all is gone": func(h *house) error {
			return errors.Join(os.RemoveAll(filepath.Dir(h.file(fileSeal))), os.RemoveAll(filepath.Join(h.cfg.State, householdFolder)))
		},
		"all but the pending file is done": func(h *house) error { return h.again(nil) },
		"done, and the old keys still there": func(h *house) error {
			return h.again(func() error { return os.CopyFS(epochFolder(h.cfg.State, 1), os.DirFS(epochFolder(h.cfg.State, 2))) })
		},
	} {
		for _, reset := range []bool{false, true} {
			t.Run(name+map[bool]string{false: "/evict", true: "/reset"}[reset], func(t *testing.T) {
				inHouse(t, func(t *testing.T, h *house) {
					anna, bob, _, _ := h.household()
					anna.must(proto.OpSetSettings, proto.SettingsChange{Name: new("Kinderzimmer")})
					m := markers(t, h, anna, bob)
					old := oldHome{keys: h.a.keys, anna: anna}
					reason, name := reasonEvicted, "Kinderzimmer"
					end := h.a.Evict
					if reset {
						reason, name, end = reasonReset, "nursery", h.a.Reset
					}
					if err := end(); err != nil {
						t.Fatal(err)
					}
					h.restart(func() {
						if err := cut(h); err != nil {
							t.Fatal(err)
						}
					})
					h.ended(old, reason)
					if s := h.a.Settings(); s.Name != name {
						t.Errorf("settings: %+v", s)
					}
					if !reset {
						delete(m, "name of the camera") // stays
						delete(m, fileSeal)
						delete(m, "Anna") // in the old log, and the last notices' receivers
						delete(m, "Bob")
						delete(m, "key of Anna")
						delete(m, "key of Bob")
					}
					if l := leftovers(t, h.cfg.State, m); len(l) != 0 {
						t.Errorf("left: %v", l)
					}
				})
			})
		}
	}
}

// again lets the next start do its work, and puts the pending file back. harm comes
// after it.
func (h *house) again(harm func() error) error {
	path := filepath.Join(h.cfg.State, filePending)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	a, err := tryOpenWith(h.t, h.cfg)
	if err == nil {
		err = a.Close()
	}
	if err == nil {
		err = store.WriteFile(path, text)
	}
	if err == nil && harm != nil {
		err = harm()
	}
	return err
}
