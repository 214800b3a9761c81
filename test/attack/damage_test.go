package attack

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// known is a household that had Cara removed, and its state folder after that.
type known struct {
	*house
	cara  *home.Keys
	state string
}

func newKnown(t *testing.T) known {
	t.Helper()
	h := newHome(t)
	h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	cara := h.invite(h.probe, proto.Grant{Name: "Cara"})
	name := "Nursery"
	h.does(h.probe, proto.OpSetSettings, proto.SettingsChange{Name: &name}, proto.CodeOK)
	h.does(h.probe, proto.OpRevoke, proto.Revoke{Client: cara.ID()}, proto.CodeOK)
	h.look(h.owner)
	h.stop()
	state := filepath.Join(t.TempDir(), "state")
	copyTo(t, state, h.State())
	return known{h, cara, state}
}

// verdict opens a state folder as camd does, with camd for the check.
func verdict(t *testing.T, state string) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	a, err := auth.Open(t.Context(), auth.Config{State: state, Household: auth.DefaultHousehold(),
		Check: func(ctx context.Context, path string) error {
			return store.ChildCheck(rig.Program(t), "store-check")(ctx, path)
		}}, log, health.NewBoard(log))
	if err != nil {
		t.Logf("%v", err)
		return "refuses"
	}
	defer a.Close()
	epoch, reason := a.Epoch()
	var names []string
	for _, m := range a.Members() {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	switch l := strings.Join(names, " "); {
	case epoch == 1 && l == "Anna Ben":
		return "as it was"
	case epoch > 1 && l == "" && reason != "":
		return "new epoch"
	default:
		return "epoch " + string(rune('0'+epoch)) + " has " + l
	}
}

// places are some of the offsets at which a file holds something.
func places(t *testing.T, path string) (l []int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at, b := range content {
		if b != 0 {
			l = append(l, at)
		}
	}
	step, some := max(1, len(l)/30), l[:0]
	for i := 0; i < len(l); i += step {
		some = append(some, l[i])
	}
	return some
}

// TestT22 damages one byte of one file, at many places, and each file as a whole. Only
// this may follow: nothing, or a new epoch.
func TestT22DamageAnywhere(t *testing.T) {
	k := newKnown(t)
	damaged := map[string]map[string]int{}
	dir := inMemory(t)
	try := func(file, what string, change func(path string, content []byte) error) {
		state := filepath.Join(dir, "state")
		putBack(t, state, k.state)
		path := filepath.Join(state, file)
		content, err := os.ReadFile(path)
		if err == nil {
			err = change(path, content)
		}
		if err != nil {
			t.Fatal(err)
		}
		v := verdict(t, state)
		if v != "as it was" && v != "new epoch" {
			t.Errorf("%s %s: %s", file, what, v)
		}
		if damaged[file] == nil {
			damaged[file] = map[string]int{}
		}
		damaged[file][v]++
	}
	for _, file := range []string{"store/trust.db", "store/log.db", "store/seal.key", "household/1/sig.key", "household/1/enc.key",
		"household/1/log.key", "household/1/trio", "household/1/reason"} {
		for _, at := range places(t, filepath.Join(k.state, file)) {
			try(file, "with a byte that is wrong", func(path string, content []byte) error {
				content[at] ^= 0x41
				return os.WriteFile(path, content, 0o600)
			})
		}
		try(file, "removed", func(path string, _ []byte) error { return os.Remove(path) })
		try(file, "emptied", func(path string, _ []byte) error { return os.Truncate(path, 0) })
		try(file, "cut in half", func(path string, b []byte) error { return os.Truncate(path, int64(len(b)/2)) })
		try(file, "zeroed", func(path string, b []byte) error { return os.WriteFile(path, make([]byte, len(b)), 0o600) })
		if damaged[file]["new epoch"] == 0 && file != "household/1/reason" {
			t.Errorf("no damage of %s was found: %v", file, damaged[file])
		}
	}
	for file, verdicts := range damaged {
		t.Logf("%s: %v", file, verdicts)
	}
}

// ended fails unless camd begins a new epoch, with nobody in it, and says so: in its
// health, at the broker, and so to members of before.
func (k known) ended(reason string) {
	k.t.Helper()
	k.Start()
	k.Online()
	if got := k.names(); len(got) != 0 {
		k.t.Errorf("the members are %v", got)
	}
	if c := k.Condition("auth"); c.State != "degraded" || !strings.Contains(c.Reason, reason) {
		k.t.Errorf("the camera's health says %+v, not %q", c, reason)
	}
	if e := k.statement(); e.Epoch != 2 || !strings.Contains(e.Reason, reason) || e.Device != k.Device {
		k.t.Errorf("the identity says %+v, not %q", e, reason)
	}
	_, err := k.owner.Call(k.t.Context(), proto.OpStatus, "", nil)
	if !errors.Is(err, client.ErrNewEpoch) || !strings.Contains(err.Error(), reason) {
		k.t.Errorf("an owner of before is told %v, not %q", err, reason)
	}
	// The keys of before do nothing in the new one.
	fresh := k.Owner()
	before := len(k.evil.Messages())
	for _, keys := range []*home.Keys{k.owner.Keys(), k.cara} {
		c := hostile.NewClient(k.t, k.evil, keys, fresh.Record())
		c.Send(c.Request(proto.OpHello, "", nil))
	}
	k.sees(fresh)
	for _, m := range k.evil.Messages()[before:] {
		if m.Topic == proto.TopicOut(k.Device, k.cara.ID()) || m.Topic == proto.TopicOut(k.Device, k.owner.Keys().ID()) {
			k.t.Error("camd answers a key of the epoch before")
		}
	}
}

// statement is what the identity says of the epoch, in the retained status.
func (h *house) statement() (e envelope.Epoch) {
	h.t.Helper()
	var status proto.Status
	for _, m := range h.evil.Messages() {
		if m.Topic == proto.TopicStatus(h.Device) && m.Client != "" && m.Retain {
			if err := json.Unmarshal(m.Payload, &status); err != nil {
				h.t.Fatal(err)
			}
		}
	}
	key, err := x509.ParsePKIXPublicKey(h.owner.Record().Identity)
	if err == nil {
		e, err = envelope.VerifyEpoch([]byte(status.Epoch), key.(*ecdsa.PublicKey))
	}
	if err != nil {
		h.t.Errorf("the retained status %+v: %v", status, err)
	}
	return e
}

func TestT22DamageBeginsANewEpoch(t *testing.T) {
	for name, damage := range map[string]struct {
		reason string
		do     func(state string) error
	}{
		"garbage for members":  {"damaged", func(s string) error { return os.WriteFile(s+"/store/trust.db", make([]byte, 9999), 0o600) }},
		"garbage for the log":  {"damaged", func(s string) error { return os.WriteFile(s+"/store/log.db", make([]byte, 9999), 0o600) }},
		"no members' file":     {"missing", func(s string) error { return os.Remove(s + "/store/trust.db") }},
		"no store":             {"missing", func(s string) error { return os.RemoveAll(s + "/store") }},
		"no household keys":    {"another epoch", func(s string) error { return os.RemoveAll(s + "/household") }},
		"another sealing key":  {"damaged", func(s string) error { return os.WriteFile(s+"/store/seal.key", make([]byte, 32), 0o600) }},
		"no sealing key":       {"damaged", func(s string) error { return os.Remove(s + "/store/seal.key") }},
		"a household key less": {"damaged", func(s string) error { return os.Remove(s + "/household/1/log.key") }},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKnown(t)
			if err := damage.do(k.State()); err != nil {
				t.Fatal(err)
			}
			k.ended(damage.reason)
		})
	}
}
