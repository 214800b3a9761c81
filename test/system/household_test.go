package system

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	t.Cleanup(cancel)
	return ctx
}

func refusedWith(t *testing.T, what string, err error, code proto.Code) {
	t.Helper()
	var refused *client.Refused
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func (w *watcher) ended(t *testing.T, sentence string) {
	t.Helper()
	select {
	case <-w.session.Done():
	case <-time.After(rig.Patience):
		t.Fatal("the session goes on")
	}
	if err := w.session.Err(); err == nil || !strings.Contains(err.Error(), sentence) {
		t.Errorf("the session ended with %v, want %q", err, sentence)
	}
}

// TestHousehold walks the whole way: two owners, a guest, privacy, a revocation while
// the guest watches, the log, and an eviction.
func TestHousehold(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	anna := r.Owner()
	ctx := patient(t)
	heard, cancel, err := anna.Notices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	ben := r.Invite(anna, proto.Grant{Name: "Ben", Role: proto.RoleOwner})
	cara := r.Invite(ben, proto.Grant{Name: "Cara"})
	w := mustWatch(t, cara)
	w.picture(t)
	_, err = cara.Settings(ctx)
	if err != nil {
		t.Error(err)
	}
	_, err = cara.Grant(ctx, proto.Grant{})
	refusedWith(t, "a guest grants", err, proto.CodeScope)

	if _, err := ben.Privacy(ctx, true); err != nil {
		t.Fatal(err)
	}
	w.ended(t, "rivacy")
	_, err = watch(t, cara)
	refusedWith(t, "watching in privacy mode", err, proto.CodePrivacy)
	_, err = anna.Privacy(ctx, false)
	refusedWith(t, "privacy off from afar", err, proto.CodeStateChanged)
	_, err = anna.Privacy(ctx, false)
	refusedWith(t, "privacy off from afar", err, proto.CodeAtDevice)
	if out, err := r.Run("privacy", "off"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	var again *watcher
	r.Until("the guest watches again", func() bool {
		again, err = watch(t, cara)
		return err == nil
	})
	again.picture(t)
	gone, err := anna.Revoke(ctx, proto.Revoke{Client: cara.Keys().ID()})
	if err != nil || len(gone.Revoked) != 1 {
		t.Fatalf("revoke: %v, %v", gone, err)
	}
	again.ended(t, "removed")
	_, err = watch(t, cara)
	refusedWith(t, "a removed guest", err, proto.CodeRevoked)

	report, err := anna.VerifyLog(ctx)
	if err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
	t.Logf("log: %+v", report)
	kinds := map[string]bool{}
	for len(heard) > 0 {
		n := <-heard
		kinds[string(n.Entry.Kind)] = true
		if n.Missed {
			t.Errorf("notice %d tells of a gap", n.Index)
		}
	}
	for _, k := range []string{"grant", "live", "end", "privacy", "revoke"} {
		if !kinds[k] {
			t.Errorf("Anna was not told of %s; she was of %v", k, kinds)
		}
	}
	evict(t, r, anna, ben)
}

func evict(t *testing.T, r *rig.Rig, anna, ben *client.Camera) {
	t.Helper()
	w := mustWatch(t, ben)
	w.picture(t)
	out, err := r.Run("evict", "--yes")
	if err != nil {
		t.Fatalf("evict: %v\n%s", err, out)
	}
	w.ended(t, "")
	r.Until("camd is back in another epoch", func() bool {
		return strings.Contains(r.Condition("auth").Reason, "pair again") && r.Condition("broker").State == "ok"
	})
	_, err = anna.Call(patient(t), proto.OpStatus, "", nil)
	if err == nil || !strings.Contains(err.Error(), "removed by someone at the camera") {
		t.Errorf("an owner of before is told %v", err)
	}
	fresh := r.Owner()
	if fresh.Record().Epoch != anna.Record().Epoch+1 {
		t.Errorf("epoch %d after %d", fresh.Record().Epoch, anna.Record().Epoch)
	}
	mustWatch(t, fresh).picture(t)
}
