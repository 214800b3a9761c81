package household

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/link/linktest"
	"github.com/camd-project/camd/pkg/proto"
)

const device = proto.DeviceID("abcdefghijklmnopqrstuvwxyz")

// TestServer has one server, since its namespaces are those of the process.
func TestServer(t *testing.T) {
	s := install(t)
	t.Run("asks systemd and apt", func(t *testing.T) {
		asked, err := os.ReadFile(filepath.Join(s.bin, "asked"))
		want := "apt-get update\napt-get install -y mosquitto coturn caddy\nsystemctl daemon-reload\nsystemctl enable mosquitto coturn caddy camd-turn\nsystemctl restart mosquitto coturn caddy camd-turn\n"
		if err != nil || string(asked) != want {
			t.Errorf("asked for\n%s(%v), want\n%s", asked, err, want)
		}
	})
	s.startAll()
	t.Run("check", func(t *testing.T) { checkServer(t, s) })
	t.Run("page", func(t *testing.T) { page(t, s) })
	t.Run("logins", func(t *testing.T) { logins(t, s) })
	t.Run("credentials", func(t *testing.T) { credentials(t, s) })
	t.Run("login ahead", func(t *testing.T) { loginAhead(t, s) })
	t.Run("story", func(t *testing.T) { story(t, s) })
	t.Run("installed again", func(t *testing.T) { installedAgain(t, s) })
	t.Run("compose", func(t *testing.T) { compose(t, s) })
}

func checkServer(t *testing.T, s *server) {
	if said, ok := s.household("check"); !ok || strings.Count(said, " works") != 6 {
		t.Errorf("check says\n%s", said)
	}
	nowhere := *s
	nowhere.dir = filepath.Join(t.TempDir(), "nowhere")
	if said, ok := nowhere.household("init", "nowhere.example.org"); !ok {
		t.Fatal(said)
	}
	if said, ok := nowhere.household("check"); ok || strings.Contains(said, "\n") || !strings.Contains(said, "the name nowhere.example.org has no address here") {
		t.Errorf("without a name check says\n%s", said)
	}
	s.stops["coturn"]()
	said, ok := s.household("check")
	if ok || strings.Count(said, " works") != 4 || !strings.Contains(said, "systemctl status coturn") || !strings.Contains(said, "2 of the server's parts are not reached") {
		t.Errorf("without coturn check says\n%s", said)
	}
}

func page(t *testing.T, s *server) {
	status, body, header := get(t, "/", "", "")
	if status != 200 || !strings.Contains(body, "<html") || !strings.Contains(header.Get("Content-Security-Policy"), "connect-src 'self' wss://"+host+";") {
		t.Errorf("the page: %d, %v", status, header)
	}
	var config struct {
		Broker struct{ URL string }
		TURN   string
	}
	status, body, _ = get(t, "/config.json", "", "")
	if err := json.Unmarshal([]byte(body), &config); err != nil || status != 200 || config.Broker.URL != s.admin().URL || config.TURN != "turn" {
		t.Errorf("config.json: %d, %s, %v", status, body, err)
	}
}

// member is somebody with a login.
func member(t *testing.T, l *broker.Logins) (proto.ClientID, home.Broker) {
	t.Helper()
	id := linktest.NewClientID()
	login := l.NewLogin(id, device)
	if err := l.Add(t.Context(), login, id, device); err != nil {
		t.Fatal(err)
	}
	return id, login
}

func dialLogins(t *testing.T, admin home.Broker) *broker.Logins {
	t.Helper()
	l, err := broker.DialLogins(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func dial(t *testing.T, login home.Broker, to proto.DeviceID, id proto.ClientID) (*broker.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), linktest.Patience)
	defer cancel()
	c, err := broker.Dial(ctx, login, to, id, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// Logins come, carry what is theirs and nothing else, and go.
func logins(t *testing.T, s *server) {
	l := dialLogins(t, s.admin())
	anna, annas := member(t, l)
	ben, bens := member(t, l)
	a, err := dial(t, annas, device, anna)
	if err != nil {
		t.Fatal(err)
	}
	// Ben listens for what is Anna's, beside his own, which comes last.
	b := raw(t, bens)
	heard := make(chan string, 8)
	for _, topic := range []string{proto.TopicOut(device, anna), proto.TopicIn(device, anna), "camd/v1/#", proto.TopicOut(device, ben)} {
		if token := b.Subscribe(topic, 0, func(_ mqtt.Client, m mqtt.Message) { heard <- m.Topic() }); !token.WaitTimeout(linktest.Patience) {
			t.Fatal("no SUBACK")
		}
	}
	camera := camera(t, s)
	asked := make(chan string, 8)
	if token := camera.Subscribe("camd/v1/"+string(device)+"/in/+", 0, func(_ mqtt.Client, m mqtt.Message) { asked <- string(m.Payload()) }); !token.WaitTimeout(linktest.Patience) {
		t.Fatal("no SUBACK")
	}
	b.Publish(proto.TopicIn(device, anna), 1, false, "of ben as anna").WaitTimeout(linktest.Patience)
	b.Publish(proto.TopicOut(device, anna), 1, false, "of ben as the camera").WaitTimeout(linktest.Patience)
	a.Publish([]byte("of anna"))
	if got := next(t, asked); got != "of anna" {
		t.Errorf("the camera hears %q, want what Anna says", got)
	}
	camera.Publish(proto.TopicOut(device, anna), 1, false, "to anna").WaitTimeout(linktest.Patience)
	camera.Publish(proto.TopicOut(device, ben), 1, false, "to ben").WaitTimeout(linktest.Patience)
	if got := next(t, heard); got != proto.TopicOut(device, ben) {
		t.Errorf("Ben hears %s, want his own", got)
	}
	if m := next(t, a.Messages()); string(m.Payload) != "to anna" {
		t.Errorf("Anna hears %q", m.Payload)
	}
	t.Run("another login ends the one before", func(t *testing.T) {
		again := l.NewLogin(ben, device)
		if err := l.Add(t.Context(), again, ben, device); err != nil {
			t.Fatal(err)
		}
		linktest.Until(t, "Ben's connection has ended", func() bool { return !b.IsConnectionOpen() })
		if _, err := dial(t, bens, device, ben); err == nil || !strings.Contains(err.Error(), "does not accept this client's login") {
			t.Errorf("the old password: %v", err)
		}
		if _, err := dial(t, again, device, ben); err != nil {
			t.Errorf("the new one: %v", err)
		}
	})
	t.Run("removed", func(t *testing.T) {
		for range 2 {
			if err := l.Remove(t.Context(), anna, device); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := dial(t, annas, device, anna); err == nil || !strings.Contains(err.Error(), "does not accept this client's login") {
			t.Fatalf("Anna again: %v", err)
		}
		linktest.Until(t, "Anna's connection has ended", func() bool { return !a.Up() })
	})
	t.Run("members change no logins", func(t *testing.T) {
		cara, caras := member(t, l)
		m, err := broker.DialLogins(t.Context(), caras)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Remove(t.Context(), cara, device); err == nil || !strings.Contains(err.Error(), "must be its administrator's") {
			t.Errorf("a member removes a login: %v", err)
		}
		if _, err := dial(t, caras, device, cara); err != nil {
			t.Errorf("her login is gone: %v", err)
		}
	})
}

func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(linktest.Patience):
		t.Fatal("nothing came")
	}
	return v
}

// raw is a client that asks for what it may not have.
func raw(t *testing.T, login home.Broker) mqtt.Client {
	t.Helper()
	return connected(t, mqtt.NewClientOptions().AddBroker(login.URL).SetClientID("raw").SetUsername(login.User).SetPassword(login.Password).SetAutoReconnect(false))
}

func connected(t *testing.T, o *mqtt.ClientOptions) mqtt.Client {
	t.Helper()
	c := mqtt.NewClient(o.SetProtocolVersion(4).SetConnectTimeout(linktest.Patience))
	if token := c.Connect(); !token.WaitTimeout(linktest.Patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	return c
}
