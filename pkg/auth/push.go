package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// Pusher sends sealed notices to browsers whose page is closed. It does not block.
type Pusher interface {
	// Check returns a sentence that says why nothing is sent to an endpoint, or nil.
	Check(endpoint string) error
	Push(to proto.ClientID, s proto.PushSubscription, sealed []byte, key *ecdsa.PrivateKey)
}

// pushed reports whether entries of a kind are pushed: those that somebody should look at now.
// docs/protocol.md 16.3.
func pushed(k accesslog.Kind) bool {
	switch k {
	case accesslog.KindRing, accesslog.KindPair, accesslog.KindGrant, accesslog.KindAlarm, accesslog.KindRollback:
		return true
	}
	return false
}

// push hands a notice that was sent over to the member's push service, too, once. The setting
// and the member are those of this moment: nothing is pushed to who was removed.
func (t *notices) push(pusher Pusher, to receiver, n notice, sealed []byte) {
	m := t.members.get(to.member.id)
	if pusher == nil || m == nil || m.Push == nil || t.policy.settings().Push != proto.PushOn || n.index <= to.pushed {
		return
	}
	e, err := accesslog.Parse([]byte(n.text))
	if err != nil || !pushed(e.Kind) {
		return
	}
	to.pushed = n.index
	key, err := t.keys.pushKey()
	if err != nil {
		t.slog.Error("nothing can be pushed", "error", err)
		return
	}
	pusher.Push(m.id, *m.Push, sealed, key)
}

// pushKey is the key by which push services know this camera (RFC 8292), of this epoch.
// docs/protocol.md 16.2.
func (h *householdKeys) pushKey() (*ecdsa.PrivateKey, error) {
	scalar, err := h.sig.Bytes()
	if err != nil {
		return nil, fmt.Errorf("derive the push key: %w", err)
	}
	raw, err := hkdf.Key(sha256.New, scalar, []byte(h.device), "camd/push/vapid/1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the push key: %w", err)
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
}

// OpPush returns the operation by which a member has notices pushed to its browser.
// docs/protocol.md 16.
func (a *Authority) OpPush(p Pusher) Operation {
	return Query[proto.PushRequest]{Answer: func(_ context.Context, r Request, q proto.PushRequest) (Result, error) {
		now, err := a.pushStatus()
		switch {
		case err != nil:
		case q.Do == proto.PushDoSet:
			if bad := p.Check(q.Subscription.Endpoint); bad != nil {
				now.Problem = bad.Error()
			} else {
				err = a.setPush(r.member, q.Subscription)
			}
		case q.Do == proto.PushDoRemove:
			err = a.setPush(r.member, nil)
		}
		m := a.members.get(r.member.id)
		now.Subscribed = m != nil && m.Push != nil
		return Result{Body: now}, err
	}}
}

func (a *Authority) pushStatus() (proto.PushStatus, error) {
	key, err := a.keys.pushKey()
	if err != nil {
		return proto.PushStatus{}, errors.Join(proto.Refuse(proto.CodeInternal), err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return proto.PushStatus{}, errors.Join(proto.Refuse(proto.CodeInternal), err)
	}
	return proto.PushStatus{On: a.Settings().Push == proto.PushOn, Key: base64.RawURLEncoding.EncodeToString(point)}, nil
}

// setPush stores the subscription of a member; nil: it has none. It lies in the member's row, and
// goes with it.
func (a *Authority) setPush(by *member, s *proto.PushSubscription) error {
	defer a.changes.begin()()
	m := a.members.get(by.id)
	switch {
	case m == nil || a.changes.over:
		return proto.Refuse(proto.CodeRevoked)
	case s == nil && m.Push == nil, s != nil && m.Push != nil && *s == *m.Push:
		return nil
	case !a.allowances.mayStart(m): // each is written to flash
		return proto.Refuse(proto.CodeBusy)
	}
	next := *m
	next.Push = s
	if err := a.members.update(func(all *snapshot) { all.put(&next) }, nil); err != nil {
		return errors.Join(proto.Refuse(proto.CodeStorage), err)
	}
	return nil
}

// EndPush forgets a subscription that a push service has ended.
func (a *Authority) EndPush(id proto.ClientID, s proto.PushSubscription) {
	m := a.members.get(id)
	if m == nil || m.Push == nil || *m.Push != s {
		return
	}
	if err := a.setPush(m, nil); err != nil {
		a.log.Info("a subscription that has ended is not forgotten yet", "client", string(id), "error", err)
	}
}
