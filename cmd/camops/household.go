package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/homeserver"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/web"
)

// householdCmd lays out a household's own server. docs/household.md.
type householdCmd struct {
	Init        *householdInitCmd        `arg:"subcommand:init" help:"make keys, logins and configurations of a server: mosquitto, coturn, Caddy"`
	Login       *householdLoginCmd       `arg:"subcommand:login" help:"make a member's login at the server's broker, for a grant that is made in a page (camctl grant --broker-admin makes its own), or a camera's for the relay"`
	Check       *householdCheckCmd       `arg:"subcommand:check" help:"say what of the server is reached from here"`
	Credentials *householdCredentialsCmd `arg:"subcommand:credentials" help:"on the server: give members credentials of the TURN server"`
}

// serverFlag names the server's folder.
type serverFlag struct {
	Dir string `arg:"--dir" help:"folder of the server's keys" default:"camd-household" placeholder:"DIR"`
}

type householdInitCmd struct {
	serverFlag
	Host string `arg:"positional,required" help:"full name by which browsers and cameras find the server, such as cameras.example.org" placeholder:"HOSTNAME"`
}

// Run makes the folder and says what comes next.
func (c *householdInitCmd) Run(env *environment) error {
	config := web.Config{Broker: &web.BrokerConfig{URL: homeserver.BrokerURL(c.Host)}, TURN: homeserver.TURNPath}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	page := homeserver.Page{Config: append(text, '\n')}
	for _, h := range web.Headers(config) {
		page.Headers = append(page.Headers, [2]string{h.Name, h.Value})
	}
	s, err := homeserver.Create(c.Dir, c.Host, page)
	if err != nil {
		return err
	}
	return say(env.out, "The server's keys, logins and configurations are in %[1]s. They open no camera, but let anyone into your broker: keep the folder to yourself.\n"+
		"Next, as root on the server, which needs %[3]s and %[4]s only: deploy/household install %[1]s\n"+
		"camctl pair then takes --ca %[5]s --broker mqtts://%[2]s:8883 --viewer-broker mqtts://%[2]s:8884 --web-broker wss://%[2]s/mqtt.",
		c.Dir, c.Host, s.Path("server"), s.Path("pki", "broker"), s.Path("pki"))
}

type householdLoginCmd struct {
	serverFlag
	Camera proto.DeviceID `arg:"--camera,required" help:"the camera's device identifier, as in its label after d=" placeholder:"ID"`
	Relay  bool           `arg:"--relay" help:"make the camera's own login instead, by which it gets credentials of the relay, as a line of a netrc file"`
	Key    string         `arg:"positional" help:"the member's key, as the page or camctl id shows it, or a file with it; a dash reads it from standard input" placeholder:"KEY"`
}

// Run makes the login. A member's is printed as the broker of a camera card, a camera's for curl.
func (c *householdLoginCmd) Run(env *environment) error {
	switch {
	case !c.Camera.Valid():
		return fmt.Errorf("%q is no device identifier: it is in the camera's label, after d=", c.Camera)
	case c.Relay == (c.Key != ""):
		return command.Usage("name the member's key, or say --relay for the camera's own login")
	}
	var id proto.ClientID
	if !c.Relay {
		var err error
		if id, err = readKey(env, c.Key); err != nil {
			return err
		}
	}
	admin, err := readAdmin(homeserver.Server{Dir: c.Dir}.Path("broker-admin.json"))
	if err != nil {
		return err
	}
	logins, err := broker.DialLogins(env.ctx, admin)
	if err != nil {
		return err
	}
	defer logins.Close()
	if c.Relay {
		login, err := logins.AddRelay(env.ctx, c.Camera)
		if err != nil {
			return err
		}
		return say(env.out, "machine %s login %s password %s", homeserver.HostOf(admin.URL), login.User, login.Password)
	}
	login := logins.NewLogin(id, c.Camera)
	if err := logins.Add(env.ctx, login, id, c.Camera); err != nil {
		return err
	}
	text, err := json.MarshalIndent(envelope.BrokerLogin{URL: login.URL, CA: login.CA, User: login.User, Password: login.Password}, "", "  ") //nolint:gosec // this is what the command is for
	if err != nil {
		return err
	}
	return say(env.out, "%s", text)
}

// readAdmin reads the broker's administration login.
func readAdmin(path string) (b home.Broker, err error) {
	text, err := readSmall(path)
	if err != nil {
		return b, err
	}
	if json.Unmarshal(text, &b) != nil || b.Check() != nil {
		return b, fmt.Errorf("%s is no administration login: camops household init makes it", path)
	}
	return b, nil
}

type householdCredentialsCmd struct {
	Host   string `arg:"--host,required" help:"name of the TURN server" placeholder:"HOSTNAME"`
	Secret string `arg:"--secret-file,required" help:"file with the secret that is also in turnserver.conf" placeholder:"FILE"`
	Logins string `arg:"--logins" help:"file of mosquitto's dynamic security plugin" default:"/var/lib/mosquitto/camd-logins.json" placeholder:"FILE"`
	Listen string `arg:"--listen" help:"address for Caddy to reach it" default:"127.0.0.1:8089" placeholder:"HOST:PORT"`
}

// Run serves until it is told to end.
func (c *householdCredentialsCmd) Run(env *environment) error {
	secret, err := homeserver.ReadSecret(c.Secret)
	if err != nil {
		return err
	}
	if _, err := homeserver.NewCredentials(secret, c.Host, "check", time.Now()); err != nil {
		return err
	}
	s := &http.Server{
		Addr: c.Listen, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		Handler: &homeserver.Handler{Secret: secret, Host: c.Host, Logins: c.Logins, Log: slog.New(slog.NewTextHandler(env.out, nil))},
	}
	stop := context.AfterFunc(env.ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve credentials: %w", err)
	}
	return nil
}
