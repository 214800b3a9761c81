package broker

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/camd-project/camd/pkg/proto"
)

// web serves the broker over WebSocket and returns its address.
func (w *world) web(start func(http.Handler) *httptest.Server) *httptest.Server {
	w.Helper()
	s := start(w.broker)
	w.Cleanup(s.Close)
	return s
}

// browser opens a WebSocket as a browser does.
func (w *world) browser(s *httptest.Server) *client {
	w.Helper()
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}, HandshakeTimeout: patience, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	ws, _, err := d.DialContext(w.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), http.Header{"Origin": {"https://page.example"}}) //nolint:bodyclose // the Conn closes it
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = ws.Close() })
	if err := ws.NetConn().SetDeadline(time.Now().Add(patience)); err != nil {
		w.Fatal(err)
	}
	c := &stream{Conn: ws.NetConn(), ws: ws}
	return &client{w, c, bufio.NewReader(c)}
}

// login is a CONNECT with user and password.
func login(id, user, password string) packets.Packet {
	pk := connectPacket(id)
	pk.Connect.UsernameFlag, pk.Connect.Username = true, []byte(user)
	pk.Connect.PasswordFlag, pk.Connect.Password = true, []byte(password)
	return pk
}

func TestOverWebSocketAPasswordSaysWhoItIs(t *testing.T) {
	w := start(t)
	password := w.broker.Password(cliA)
	without := connectPacket(string(cliA) + "-1")
	userAlone := without
	userAlone.Connect.UsernameFlag, userAlone.Connect.Username = true, []byte(cliA)
	persistent := login(string(cliA)+"-1", string(cliA), password)
	persistent.Connect.Clean = false
	another := start(t)
	for name, s := range map[string]*httptest.Server{"plain": w.web(httptest.NewServer), "TLS": w.web(httptest.NewTLSServer)} {
		for _, c := range []struct {
			name string
			pk   packets.Packet
			want byte
		}{
			{"a client", login(string(cliA)+"-1", string(cliA), password), 0},
			{"no login", without, 5},
			{"no login and no name", connectPacket("-1"), 5},
			{"no password", userAlone, 5},
			{"a wrong password", login(string(cliA)+"-1", string(cliA), "x"), 5},
			{"another client's password", login(string(cliB)+"-1", string(cliB), password), 5},
			{"another broker's password", login(string(cliA)+"-1", string(cliA), another.broker.Password(cliA)), 5},
			{"another client's identifier", login(string(cliB)+"-1", string(cliA), password), 5},
			{"a device's identifier", login(secret, string(cliA), password), 5},
			{"a device", login(secret, string(devA), w.broker.Password(proto.ClientID(devA))), 5},
			{"a persistent session", persistent, 5},
		} {
			b := w.browser(s)
			b.send(c.pk, (*packets.Packet).ConnectEncode)
			if got := b.expect(packets.Connack)[1]; got != c.want {
				t.Errorf("%s, %s: CONNACK %d, want %d", name, c.name, got, c.want)
			}
		}
	}
}

func TestOverWebSocketTheSameTopicRulesHold(t *testing.T) {
	w := start(t)
	dev, b := w.device(devA), w.browser(w.web(httptest.NewServer))
	dev.subscribe(proto.TopicInFilter(devA))
	b.send(login(string(cliB)+"-1", string(cliB), w.broker.Password(cliB)), (*packets.Packet).ConnectEncode)
	b.expect(packets.Connack)
	for filter, want := range map[string]byte{
		proto.TopicOut(devA, cliB): 0, proto.TopicStatus(devA): 0,
		proto.TopicOut(devA, cliA): 0x80, proto.TopicInFilter(devA): 0x80, "camd/v1/+/status": 0x80, "#": 0x80,
	} {
		if got := b.subscribe(filter); got != want {
			t.Errorf("SUBACK %#x for %s, want %#x", got, filter, want)
		}
	}
	// What is refused comes first: had it been carried, it would arrive first.
	b.publish(proto.TopicIn(devA, cliA), "forged", false)
	b.publish(proto.TopicIn(devA, cliB), "of b", false)
	if topic, got := dev.delivered(); topic != proto.TopicIn(devA, cliB) || got != "of b" {
		t.Errorf("the device got %q on %s", got, topic)
	}
	dev.publish(proto.TopicOut(devA, cliA), "for a", false)
	dev.publish(proto.TopicOut(devA, cliB), "for b", false)
	if _, got := b.delivered(); got != "for b" {
		t.Errorf("the browser got %q", got)
	}
}

func TestPacketsNeedNotBeginWhereMessagesDo(t *testing.T) {
	w := start(t)
	b := w.browser(w.web(httptest.NewServer))
	ws := b.Conn.(*stream).ws
	var whole strings.Builder
	two := &client{w, discard{b.Conn, &whole}, nil}
	two.send(login(string(cliA)+"-1", string(cliA), w.broker.Password(cliA)), (*packets.Packet).ConnectEncode)
	two.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}}, (*packets.Packet).PingreqEncode)
	for _, part := range []string{whole.String()[:5], "", whole.String()[5:]} {
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if code := b.expect(packets.Connack)[1]; code != 0 {
		t.Fatalf("CONNACK %d", code)
	}
	b.expect(packets.Pingresp)
	if err := ws.WriteMessage(websocket.TextMessage, []byte{0xc0, 0}); err != nil {
		t.Fatal(err)
	}
	if head, _, err := b.read(); err == nil {
		t.Errorf("a text message is answered with %#x", head)
	}
}

// discard keeps what is sent instead of sending it.
type discard struct {
	net.Conn
	out io.Writer
}

func (d discard) Write(p []byte) (int, error) { return d.out.Write(p) }

func TestWebSocketRefusals(t *testing.T) {
	w := start(t)
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
	for _, c := range []struct {
		name, remote, subprotocol string
		tls                       bool
		want                      int
		says                      string
	}{
		{"plain, from elsewhere", "192.0.2.1:5000", "mqtt", false, 403, "wss://"},
		{"plain, from nowhere", "@", "mqtt", false, 403, "wss://"},
		{"no subprotocol", "127.0.0.1:5000", "", false, 400, `"mqtt"`},
		{"another subprotocol", "192.0.2.1:5000", "mqttv3.1", true, 400, `"mqtt"`},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header = c.remote, upgrade.Clone()
		if c.subprotocol != "" {
			r.Header.Set("Sec-WebSocket-Protocol", c.subprotocol)
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		got := httptest.NewRecorder()
		w.broker.ServeHTTP(got, r)
		if got.Code != c.want || !strings.Contains(got.Body.String(), c.says) {
			t.Errorf("%s: %d %s; want %d and %s", c.name, got.Code, got.Body, c.want, c.says)
		}
	}
}

func TestCloseEndsWebSockets(t *testing.T) {
	w := start(t)
	before := runtime.NumGoroutine()
	s := w.web(httptest.NewServer)
	silent, session := w.browser(s), w.browser(s)
	session.send(login(string(cliA)+"-1", string(cliA), w.broker.Password(cliA)), (*packets.Packet).ConnectEncode)
	session.expect(packets.Connack)
	if err := w.broker.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{silent, session} {
		if _, _, err := c.read(); err == nil {
			t.Error("a WebSocket goes on")
		}
		_ = c.Close()
	}
	s.Close()
	for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines are left:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
}
