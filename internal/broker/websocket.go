package broker

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/camd-project/camd/pkg/proto"
)

// A browser can't show a client certificate over WebSocket, so it logs in by user and password.
const (
	webListener  = "websocket"
	subprotocol  = "mqtt"           // MQTT 3.1.1 section 6, MQTT-6.0.0-3
	webWriteTime = 10 * time.Second // a browser that reads nothing for so long is gone
)

// passwords makes and checks the passwords of clients.
type passwords struct{ key [sha256.Size]byte }

func newPasswords() *passwords {
	p := &passwords{}
	_, _ = rand.Read(p.key[:]) // never fails since Go 1.24
	return p
}

func (p *passwords) of(c proto.ClientID) string {
	mac := hmac.New(sha256.New, p.key[:])
	_, _ = mac.Write([]byte(c)) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var errPassword = errors.New("user and password are not those of a client")

// identify returns whose user and password a CONNECT has.
func (p *passwords) identify(c packets.ConnectParams) (identity, error) {
	id := proto.ClientID(c.Username)
	if !c.UsernameFlag || !c.PasswordFlag || !id.Valid() || !hmac.Equal(c.Password, []byte(p.of(id))) {
		return identity{}, errPassword
	}
	return identity{client: id}, nil
}

// Password returns the password by which a client logs in over WebSocket; its user name is the
// client's name. It holds until the broker is closed, for this client only.
func (b *Broker) Password(c proto.ClientID) string { return b.passwords.of(c) }

// ServeHTTP serves MQTT over WebSocket, for browsers. Only TLS protects a password on a network,
// so without TLS a client is served only if it is on this machine.
func (b *Broker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); r.TLS == nil && (err != nil || !ip.IsLoopback()) {
		http.Error(w, "Use wss://: without TLS the broker serves this machine only.", http.StatusForbidden)
		return
	}
	if !slices.Contains(websocket.Subprotocols(r), subprotocol) {
		http.Error(w, `This is an MQTT broker: connect by WebSocket, with the subprotocol "mqtt".`, http.StatusBadRequest)
		return
	}
	// Any page may try: what lets in is a password, not a cookie that the browser adds by itself.
	upgrader := websocket.Upgrader{Subprotocols: []string{subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	raw := ws.NetConn()
	if !b.listener.add(raw) {
		_ = raw.Close()
		return
	}
	defer b.listener.remove(raw)
	_ = raw.SetDeadline(time.Now().Add(handshakeTime)) // for CONNECT; mochi sets the later ones
	c := &conn{Conn: &stream{Conn: raw, ws: ws}, release: func() {}, done: make(chan struct{})}
	err = b.server.EstablishConnection(webListener, c)
	c.release()
	close(c.done)
	b.log.Debug("client gone", "remote", r.RemoteAddr, "who", c.who, "error", err)
}

// stream is a WebSocket as a stream of bytes: packets need not begin where messages do.
type stream struct {
	net.Conn
	ws      *websocket.Conn
	message io.Reader // that is being read; nil: none
}

var errText = errors.New("a text message: MQTT is sent in binary messages")

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.message == nil {
			kind, r, err := s.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errText
			}
			s.message = r
		}
		n, err := s.message.Read(p)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends p as one message. mochi writes one packet at a time.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.ws.SetWriteDeadline(time.Now().Add(webWriteTime)); err != nil {
		return 0, err
	}
	if err := s.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
