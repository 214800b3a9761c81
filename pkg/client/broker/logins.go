package broker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync/atomic"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// The topics of mosquitto's dynamic security plugin.
// https://github.com/eclipse/mosquitto/blob/v2.0.11/plugins/dynamic-security/README.md
const (
	loginsTopic  = "$CONTROL/dynamic-security/v1"
	loginsAnswer = loginsTopic + "/response"
)

// Logins makes and removes the logins of members at a broker, through mosquitto's dynamic
// security plugin. A login is for one member and one camera. It gives no right at the camera.
type Logins struct {
	broker    home.Broker
	mqtt      mqtt.Client
	answers   chan []byte
	malformed atomic.Pointer[error]
}

// DialLogins connects to a broker with its administration login.
func DialLogins(ctx context.Context, admin home.Broker) (*Logins, error) {
	cfg, err := tlsConfig(admin)
	if err != nil {
		return nil, err
	}
	l := &Logins{broker: admin, answers: make(chan []byte, 1)}
	o := mqtt.NewClientOptions().AddBroker(admin.URL).SetProtocolVersion(4).
		SetClientID("logins-" + rand.Text()[:16]).
		SetUsername(admin.User).SetPassword(admin.Password).
		SetConnectTimeout(dialTimeout).SetWriteTimeout(writeTimeout).SetKeepAlive(keepAlive).SetAutoReconnect(false)
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return open(admin, cfg, func(why error) { l.malformed.Store(&why) })
	})
	l.mqtt = mqtt.NewClient(o) //nolint:contextcheck // Close ends it
	if err := waitToken(ctx, l.mqtt.Connect(), dialTimeout); err != nil {
		l.Close()
		return nil, l.explain(err)
	}
	if err := waitToken(ctx, l.mqtt.Subscribe(loginsAnswer, 0, l.take), dialTimeout); err != nil {
		l.Close()
		return nil, l.explain(err)
	}
	return l, nil
}

// Close ends the connection.
func (l *Logins) Close() { l.mqtt.Disconnect(disconnectMS) }

func (l *Logins) explain(err error) error {
	if why := l.malformed.Load(); why != nil {
		err = *why
	}
	return explain(l.broker, err)
}

// take is paho's handler: it must not block.
func (l *Logins) take(_ mqtt.Client, m mqtt.Message) {
	select {
	case l.answers <- m.Payload():
	default:
	}
}

// LoginName returns the user name of a member's login for a camera.
func LoginName(id proto.ClientID, device proto.DeviceID) string {
	return string(device) + "." + string(id)
}

// NewLogin returns the address of the broker with a new login of a member for a camera. The
// broker knows it after Add.
func (l *Logins) NewLogin(id proto.ClientID, device proto.DeviceID) home.Broker {
	b := l.broker
	b.User, b.Password = LoginName(id, device), rand.Text()
	return b
}

// command is one of the plugin's, as far as it is used here.
type command struct {
	Command  string `json:"command"`
	RoleName string `json:"rolename,omitempty"`
	UserName string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Roles    []role `json:"roles,omitempty"`
	ACLs     []rule `json:"acls,omitempty"`
	ID       string `json:"correlationData"`
}

type role struct {
	RoleName string `json:"rolename"`
}

type rule struct {
	Type  string `json:"acltype"`
	Topic string `json:"topic"`
	Allow bool   `json:"allow"`
}

// Add makes the login that NewLogin returned, with the topics of docs/protocol.md 1.3. An
// older login of that member for that camera ends.
func (l *Logins) Add(ctx context.Context, login home.Broker, id proto.ClientID, device proto.DeviceID) error {
	rules := []rule{{"publishClientSend", proto.TopicIn(device, id), true}}
	for _, topic := range []string{proto.TopicOut(device, id), proto.TopicStatus(device)} {
		rules = append(rules, rule{"subscribeLiteral", topic, true}, rule{"publishClientReceive", topic, true})
	}
	return l.do(ctx, append(removal(login.User),
		command{Command: "createRole", RoleName: login.User, ACLs: rules},
		command{Command: "createClient", UserName: login.User, Password: login.Password, Roles: []role{{login.User}}}))
}

// AddRelay makes a camera's own login, by which it gets credentials of the household's TURN server.
// It gives no topic. An older one of that camera ends.
func (l *Logins) AddRelay(ctx context.Context, device proto.DeviceID) (home.Broker, error) {
	b := l.NewLogin("relay", device) // no member's name: those are longer
	return b, l.do(ctx, append(removal(b.User), command{Command: "createClient", UserName: b.User, Password: b.Password}))
}

// Remove removes the login of a member for a camera, and ends what is connected with it. It
// may be called again.
func (l *Logins) Remove(ctx context.Context, id proto.ClientID, device proto.DeviceID) error {
	return l.do(ctx, removal(LoginName(id, device)))
}

// Check returns an error unless the broker takes the administration login.
func (l *Logins) Check(ctx context.Context) error {
	return l.do(ctx, []command{{Command: "getDefaultACLAccess"}})
}

func removal(name string) []command {
	return []command{{Command: "deleteClient", UserName: name}, {Command: "deleteRole", RoleName: name}}
}

// do carries out commands in one message, which mosquitto does one after the other.
func (l *Logins) do(ctx context.Context, commands []command) error {
	id := rand.Text()
	for i := range commands {
		commands[i].ID = id
	}
	text, err := json.Marshal(map[string]any{"commands": commands})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := waitToken(ctx, l.mqtt.Publish(loginsTopic, 1, false, text), dialTimeout); err != nil {
		return l.explain(err)
	}
	for {
		select {
		case answer := <-l.answers:
			if ours, err := l.judge(answer, id, commands); ours {
				return err
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return home.NewProblem(ctx.Err(), "The broker %s does not answer about its logins. It must have mosquitto's dynamic security plugin, and the login must be its administrator's.", l.broker.URL)
		}
	}
}

// judge reads an answer. It returns false if it is not the one to these commands.
func (l *Logins) judge(answer []byte, id string, commands []command) (ours bool, err error) {
	var a struct {
		Responses []struct {
			Command string `json:"command"`
			ID      string `json:"correlationData"`
			Error   string `json:"error"`
		} `json:"responses"`
	}
	err = json.Unmarshal(answer, &a)
	if err != nil || len(a.Responses) == 0 || a.Responses[0].ID != id {
		return false, nil //nolint:nilerr // it is another client's, or of another kind
	}
	if len(a.Responses) != len(commands) {
		return true, home.NewProblem(nil, "The broker %s did only a part of what was asked about its logins. Ask its operator.", l.broker.URL)
	}
	for _, r := range a.Responses {
		absent := strings.HasPrefix(r.Command, "delete") && strings.HasSuffix(r.Error, "not found")
		if r.Error != "" && !absent {
			return true, home.NewProblem(nil, "The broker %s could not change its logins: %s.", l.broker.URL, home.Printable(r.Error))
		}
	}
	return true, nil
}
