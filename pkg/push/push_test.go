package push

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

const member = proto.ClientID("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// browser is the side that subscribes.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser() browser {
	b := browser{must(ecdh.P256().GenerateKey(rand.Reader)), make([]byte, 16)}
	_, _ = rand.Read(b.auth)
	return b
}

func (b browser) subscription(endpoint string) proto.PushSubscription {
	return proto.PushSubscription{Endpoint: endpoint, P256DH: base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes()), Auth: base64.RawURLEncoding.EncodeToString(b.auth)}
}

// open decrypts a message as a browser does. RFC 8291, 3.4; RFC 8188, 2.
func (b browser) open(body []byte) ([]byte, error) {
	salt, length := body[:16], int(body[20])
	sender := must(ecdh.P256().NewPublicKey(body[21 : 21+length]))
	shared := must(b.key.ECDH(sender))
	info := "WebPush: info\x00" + string(b.key.PublicKey().Bytes()) + string(sender.Bytes())
	ikm := must(hkdf.Key(sha256.New, shared, b.auth, info, 32))
	key := must(hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16))
	nonce := must(hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12))
	text, err := must(cipher.NewGCM(must(aes.NewCipher(key)))).Open(nil, nonce, body[21+length:], nil)
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimRight(text, "\x00"), []byte{2}), nil
}

// service is a push service at https://example.com, on loopback.
type service struct {
	status   int
	location string
	requests []*http.Request
	bodies   [][]byte
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.requests, s.bodies = append(s.requests, r), append(s.bodies, body)
	if s.location != "" {
		w.Header().Set("Location", s.location)
	}
	w.WriteHeader(s.status)
}

// sender returns a Sender that reaches s.
func (s *service) sender(t *testing.T, gone func(proto.ClientID, proto.PushSubscription)) *Sender {
	t.Helper()
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	p := must(New(Config{Hosts: []string{"example.com"}}, slog.New(slog.DiscardHandler), gone))
	p.public = netip.Addr.IsLoopback
	transport := p.client.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, server.Listener.Addr().String())
	}
	return p
}

// What leaves is the sealed notice, which only the browser opens, signed for that push service.
func TestSend(t *testing.T) {
	s, b, key := &service{status: http.StatusCreated}, newBrowser(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p := s.sender(t, nil)
	sealed := []byte(strings.Repeat("a sealed notice ", 150))
	if err := p.send(t.Context(), message{member, b.subscription("https://example.com/push/secret"), sealed, key}); err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 1 {
		t.Fatalf("%d requests", len(s.requests))
	}
	r := s.requests[0]
	if text, err := b.open(s.bodies[0]); err != nil || !bytes.Equal(text, sealed) {
		t.Errorf("the browser opens %q, %v", text, err)
	}
	if _, err := newBrowser().open(s.bodies[0]); err == nil {
		t.Error("another browser opens it")
	}
	if bytes.Contains(s.bodies[0], sealed[:16]) || r.URL.Path != "/push/secret" || r.Header.Get("TTL") != "600" || r.Header.Get("Urgency") != "high" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
	token, point, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "vapid t="), ", k=")
	parts := strings.Split(token, ".")
	var claims struct{ Aud, Sub string }
	signature := must(base64.RawURLEncoding.DecodeString(parts[2]))
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(parts[1])), &claims)
	if err != nil || claims.Aud != "https://example.com" || claims.Sub != contact || point != base64.RawURLEncoding.EncodeToString(must(key.PublicKey.Bytes())) ||
		!ecdsa.Verify(&key.PublicKey, hash[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Errorf("VAPID: %+v, %v", claims, err)
	}
}

// What a push service answers is believed only as far as it ends its own subscription.
func TestAnswers(t *testing.T) {
	for status, want := range map[int]struct {
		gone bool
		err  string
	}{
		201: {}, 404: {gone: true}, 410: {gone: true},
		307: {err: "answers 307"}, 302: {err: "answers 302"}, 429: {err: "answers 429"}, 500: {err: "answers 500"},
	} {
		s := &service{status: status, location: "https://example.com/elsewhere"}
		ended := ""
		p := s.sender(t, func(_ proto.ClientID, sub proto.PushSubscription) { ended = sub.Endpoint })
		err := p.send(t.Context(), message{member, newBrowser().subscription("https://example.com/a"), []byte("x"), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))})
		if (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) || (ended != "") != want.gone || len(s.requests) != 1 {
			t.Errorf("%d: %v, ended %q, %d requests", status, err, ended, len(s.requests))
		}
	}
}

// A name that leads into the home network gets no connection.
func TestAddressIsPublic(t *testing.T) {
	p := must(New(Config{Hosts: []string{"127.0.0.1"}}, slog.New(slog.DiscardHandler), nil))
	err := p.send(t.Context(), message{member, newBrowser().subscription("https://127.0.0.1/a"), []byte("x"), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))})
	if !errors.Is(err, errAddress) {
		t.Errorf("to loopback: %v", err)
	}
	for address, want := range map[string]bool{
		"8.8.8.8": true, "142.250.1.1": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "10.0.0.1": false, "192.168.1.1": false, "172.16.0.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "ff02::1": false, "64:ff9b::a00:1": false, "2002:a00:1::1": false, "2001:db8::1": false,
	} {
		if public(netip.MustParseAddr(address)) != want {
			t.Errorf("%s is public: %v", address, !want)
		}
	}
	if err := p.control("tcp", "[::ffff:100.64.0.1]:443", nil); err == nil {
		t.Error("a mapped address passes")
	}
}

func TestCheck(t *testing.T) {
	p := must(New(DefaultConfig(), slog.New(slog.DiscardHandler), nil))
	for endpoint, want := range map[string]string{
		"https://fcm.googleapis.com/fcm/send/x":   "",
		"https://FCM.googleapis.com/x":            "",
		"https://web.push.apple.com/x":            "",
		"https://push.apple.com/x":                "sends to no push service at push.apple.com",
		"https://evilpush.apple.com.example.org/": "sends to no push service",
		"https://xfcm.googleapis.com/":            "sends to no push service",
		"https://192.168.1.1/":                    "sends to no push service",
		"http://fcm.googleapis.com/x":             "must begin with https://",
		"https://a@fcm.googleapis.com/x":          "name no user",
		"https://fcm.googleapis.com:8443/x":       "no port",
		"https://fcm.googleapis.com%00/":          "must begin",
	} {
		err := p.Check(endpoint)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
	for _, bad := range []string{"", "*", "localhost", "https://x.example", "x.example:443", "a.*.example"} {
		if _, err := New(Config{Hosts: []string{bad}}, slog.New(slog.DiscardHandler), nil); err == nil {
			t.Errorf("hosts = %q is taken", bad)
		}
	}
}

// One member's notices never hold up another's, nor who hands them over.
func TestTooMuchIsDropped(t *testing.T) {
	p := must(New(DefaultConfig(), slog.New(slog.DiscardHandler), nil))
	for range 10 * maxQueue {
		p.Push(member, proto.PushSubscription{}, nil, nil)
	}
	if len(p.queue) != burst {
		t.Errorf("%d wait of one member, want %d", len(p.queue), burst)
	}
	for i := range 2 * maxQueue {
		p.Push(proto.ClientID(rune('a'+i)), proto.PushSubscription{}, nil, nil)
	}
	if len(p.queue) != maxQueue {
		t.Errorf("%d wait, want %d", len(p.queue), maxQueue)
	}
}
