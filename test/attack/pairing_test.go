package attack

import (
	"context"
	"encoding/json"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// members is what somebody at the device sees of the household.
func (h *house) members() (l []proto.Member) {
	h.t.Helper()
	line, err := client.Ask(context.Background(), h.Socket, map[string]string{"cmd": "members"})
	if err != nil {
		h.t.Fatal(err)
	}
	var a struct{ Members []proto.Member }
	if err := json.Unmarshal(line, &a); err != nil {
		h.t.Fatal(err)
	}
	return a.Members
}

func TestT10PairingOutsideTheWindowIsRefused(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	attacker, owner := newKeys(t), newKeys(t)
	refused := func(when string) {
		t.Helper()
		if _, err := r.Join(attacker, r.Label); err == nil {
			t.Fatalf("the attacker paired %s", when)
		}
	}
	refused("though no window was ever opened")

	r.OpenWindow("Anna")
	if err := r.Signal(syscall.SIGKILL); err == nil {
		t.Fatal("SIGKILL left exit code 0")
	}
	r.Start()
	refused("in a window that was opened before a restart")

	wrong := r.Label
	wrong.Secret[7] ^= 0x10
	r.OpenWindow("Anna")
	for i := range 5 {
		if _, err := r.Join(attacker, wrong); err == nil {
			t.Fatalf("attempt %d paired with a wrong secret", i+1)
		}
	}
	refused("at the sixth attempt, with the right secret")

	r.OpenWindow("Anna") // the owner can always open another one
	record, err := r.Join(owner, r.Label)
	if err != nil {
		t.Fatalf("the owner can't pair in a new window: %v", err)
	}
	h := &house{Rig: r, t: t}
	r.Online()
	h.sees(r.Dial(owner, record))
	if l := h.members(); len(l) != 1 || l[0].Client != owner.ID() {
		t.Errorf("members %+v, want the owner alone", l)
	}
}

func TestT12LabelAndButtonOfAnOwnedCameraStoreNoKey(t *testing.T) {
	h := newHome(t)
	attacker := hostile.Stranger(t, h.evil, h.owner.Record())
	try := func(when string) {
		t.Helper()
		attacker.Nonce = h.probe.Hello().Nonce
		h.evil.Publish(attacker.Topic(), attacker.Request(proto.OpLive, "attack", hostile.NewViewer(t).LiveRequest()).Seal(), false)
		h.nothingBegan("an offer " + when)
		if l := h.members(); len(l) != 1 || l[0].Client != h.owner.Keys().ID() {
			t.Errorf("members %s: %+v, want the owner alone", when, l)
		}
	}
	h.OpenWindow("Eve") // which is what the button does
	for range 2 {
		if _, err := h.Join(attacker.Keys, h.Label); err == nil {
			t.Fatal("the attacker paired")
		}
		try("within the window")
	}
	if err := h.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.Start()
	h.Online()
	try("after a restart")
	h.silent(attacker.Keys.ID())
	h.OpenWindow("Anna")
	if _, err := h.Join(h.owner.Keys(), h.Label); err != nil {
		t.Errorf("the owner's own key gets no receipt: %v", err)
	}
	h.sees(h.owner)
}
