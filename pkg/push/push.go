// Package push sends notices to browsers whose page is closed, through their push services
// (RFC 8030). What it sends is a notice that is sealed for the member already, and is encrypted
// once more for the browser (RFC 8291): the push service learns when, and to whom.
//
// It connects to no address but a public one of a known push service. Members supply the
// addresses, so each is checked when it is given and after its name was looked up, and no
// redirect is followed. Nothing waits for it: what is too much, or does not arrive, is dropped,
// since the notice itself goes by the broker. It keeps nothing on disk.
package push

import (
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/SherClockHolmes/webpush-go"
	"golang.org/x/time/rate"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what is sent. docs/protocol.md 16.3.
const (
	maxQueue  = 32
	sendTime  = 10 * time.Second
	lifetime  = 10 * time.Minute // for which the push service keeps a message
	burst     = 6                // to one member at once,
	sendEvery = 30 * time.Second // and then one in this time
	maxAnswer = 4 << 10          // bytes of a push service's answer that are read
)

// contact is whom a push service may ask about the camera (RFC 8292, 2.1).
const contact = "https://github.com/camd-project/camd"

// errAddress means that an address is not public.
var errAddress = errors.New("the push service has an address that is not public")

// Sender sends notices to push services. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	log    *slog.Logger
	gone   func(proto.ClientID, proto.PushSubscription) // the browser ended a subscription
	client *http.Client
	public func(netip.Addr) bool // tests have a push service of their own on loopback

	queue chan message

	mu     sync.Mutex
	limits map[proto.ClientID]*rate.Limiter
}

// message is one for one browser.
type message struct {
	to           proto.ClientID
	subscription proto.PushSubscription
	sealed       []byte
	key          *ecdsa.PrivateKey
}

// New returns a Sender. It calls gone when a push service says that a subscription has ended.
func New(cfg Config, log *slog.Logger, gone func(proto.ClientID, proto.PushSubscription)) (*Sender, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Sender{cfg: cfg, log: log.With("component", "push"), gone: gone, public: public,
		queue: make(chan message, maxQueue), limits: map[proto.ClientID]*rate.Limiter{}}
	dialer := net.Dialer{Timeout: sendTime, Control: s.control}
	s.client = &http.Client{
		Timeout: sendTime,
		// No proxy: it would look names up, and reach what this device may not.
		Transport:     &http.Transport{DialContext: dialer.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// String names the component.
func (s *Sender) String() string { return "push" }

// Check returns a sentence that says why the camera does not send to endpoint, or nil. The
// address is looked at again each time something is sent.
func (s *Sender) Check(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" {
		return errors.New("The address of the push service is not usable: it must begin with https://, and name no user and no port.") //nolint:staticcheck // for people
	}
	if !s.cfg.known(u.Hostname()) {
		return fmt.Errorf("This camera sends to no push service at %s. Its operator may add it to hosts in [push].", u.Hostname()) //nolint:staticcheck // for people
	}
	return nil
}

// control refuses an address before a connection to it is made, after its name was looked up.
func (s *Sender) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !s.public(a.Addr().Unmap()) {
		return errAddress
	}
	return nil
}

// notPublic are the networks that netip knows no name for. RFC 6890, RFC 6052, RFC 3056.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address is one of the internet.
func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Push sends a sealed notice to a member's browser, signed by the camera's key for that. It does
// not wait: what is too much is dropped.
func (s *Sender) Push(to proto.ClientID, subscription proto.PushSubscription, sealed []byte, key *ecdsa.PrivateKey) {
	if !s.limit(to).Allow() {
		s.log.Info("a push is dropped: there were too many", "client", string(to))
		return
	}
	select {
	case s.queue <- message{to, subscription, sealed, key}:
	default:
		s.log.Info("a push is dropped: too many wait", "client", string(to))
	}
}

func (s *Sender) limit(to proto.ClientID) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.limits) > proto.MaxMembers { // of members who were removed, too
		clear(s.limits)
	}
	if s.limits[to] == nil {
		s.limits[to] = rate.NewLimiter(rate.Every(sendEvery), burst)
	}
	return s.limits[to]
}

// Run sends what is queued until ctx ends.
func (s *Sender) Run(ctx context.Context, ready func()) error {
	ready()
	defer s.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-s.queue:
			if err := s.send(ctx, m); err != nil {
				s.log.Info("push not sent", "client", string(m.to), "error", err)
			}
		}
	}
}

// send sends one message. A push service that is busy is not asked again: the notice is in the
// log, and the next one will tell.
func (s *Sender) send(ctx context.Context, m message) error {
	if err := s.Check(m.subscription.Endpoint); err != nil { // the configuration may be another one now
		return err
	}
	raw, err := m.key.Bytes()
	if err != nil {
		return err
	}
	point, err := m.key.PublicKey.Bytes()
	if err != nil {
		return err
	}
	answer, err := webpush.SendNotificationWithContext(ctx, m.sealed,
		&webpush.Subscription{Endpoint: m.subscription.Endpoint, Keys: webpush.Keys{Auth: m.subscription.Auth, P256dh: m.subscription.P256DH}},
		&webpush.Options{HTTPClient: s.client, Subscriber: contact, TTL: int(lifetime.Seconds()), Urgency: webpush.UrgencyHigh,
			VAPIDPublicKey: base64.RawURLEncoding.EncodeToString(point), VAPIDPrivateKey: base64.RawURLEncoding.EncodeToString(raw)})
	if err != nil {
		var failed *url.Error // it holds the address, which is a secret
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection can be used again
	_ = answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound, answer.StatusCode == http.StatusGone: // RFC 8030, 7.3
		s.gone(m.to, m.subscription)
		return nil
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("the push service answers %d", answer.StatusCode)
	}
	return nil
}
