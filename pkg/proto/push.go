package proto

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// PushDo is what OpPush is asked to do. docs/protocol.md 16.1.
type PushDo string

// What there is to do. Each member decides about its own subscription alone.
const (
	PushDoStatus PushDo = "status" // say whether the camera pushes, and with which key
	PushDoSet    PushDo = "set"    // keep a subscription, in the place of the former one
	PushDoRemove PushDo = "remove" // forget it
)

// PushRequest is the body of OpPush. docs/protocol.md 16.1.
type PushRequest struct {
	Do           PushDo            `json:"do"`
	Subscription *PushSubscription `json:"subscription,omitempty"` // PushDoSet
}

// Valid reports whether it asks for one thing that there is, in the right form.
func (q PushRequest) Valid() bool {
	switch q.Do {
	case PushDoStatus, PushDoRemove:
		return q.Subscription == nil
	case PushDoSet:
		return q.Subscription != nil && q.Subscription.valid()
	}
	return false
}

// PushSubscription is where and how a browser gets pushes (W3C Push API; RFC 8030, RFC 8291).
// docs/protocol.md 16.1.
type PushSubscription struct {
	Endpoint string `json:"endpoint"` // https, without a user and a port; whoever knows it can push
	P256DH   string `json:"p256dh"`   // the browser's public key: 65 bytes, base64url
	Auth     string `json:"auth"`     // the secret that it shares with who pushes: 16 bytes, base64url
}

// maxEndpoint bounds PushSubscription.Endpoint, in bytes. docs/protocol.md 16.1.
const maxEndpoint = 1024

func (s PushSubscription) valid() bool {
	u, err := url.Parse(s.Endpoint)
	if err != nil || len(s.Endpoint) > maxEndpoint || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Port() != "" {
		return false
	}
	if strings.ContainsFunc(s.Endpoint, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(s.P256DH)
	if err != nil || len(key) != 65 || key[0] != 4 {
		return false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(s.Auth)
	return err == nil && len(secret) == 16
}

// PushStatus is the body of the answer to OpPush. docs/protocol.md 16.2.
type PushStatus struct {
	On         bool   `json:"on"`         // the household's setting push
	Subscribed bool   `json:"subscribed"` // the member has a subscription here
	Key        string `json:"key"`        // the camera's public key for subscriptions (RFC 8292), base64url
	Problem    string `json:"problem,omitempty"`
}

// What Settings.Push is. docs/protocol.md 5.11.
const (
	PushOff = "off" // the camera sends to no push service
	PushOn  = "on"
)
