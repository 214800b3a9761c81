package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

type wifiCmd struct {
	Camera       string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	Join         string `arg:"--join" help:"have the camera change to this network; it goes back if it does not reach its broker through it within a minute" placeholder:"NAME"`
	PasswordFile string `arg:"--password-file" help:"join: file with the network's password, instead of a question at the terminal; a dash reads it from standard input" placeholder:"FILE"`
	Hidden       bool   `arg:"--hidden" help:"join: the network hides its name"`
	Open         bool   `arg:"--open" help:"join: it has no password, so everyone near it can join it"`
}

// Run shows the camera's Wi-Fi, or changes it.
func (c wifiCmd) Run(env *environment) error {
	if c.Join == "" && (c.PasswordFile != "" || c.Hidden || c.Open) {
		return command.Usage("--password-file, --hidden and --open are for wifi --join")
	}
	if c.Open && c.PasswordFile != "" {
		return command.Usage("--open is for a network without a password")
	}
	camera, err := env.dial(c.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	now, err := camera.WiFi(env.ctx, proto.WiFiRequest{Do: proto.WiFiDoStatus})
	if err != nil {
		return err
	}
	if c.Join != "" {
		return c.join(env, camera, now)
	}
	if now.Trying == "" {
		env.Note("The camera looks for Wi-Fi networks.")
		if now, err = camera.WiFi(env.ctx, proto.WiFiRequest{Do: proto.WiFiDoNetworks}); err != nil {
			return err
		}
	}
	return env.Print(now, "%s", command.Lines(wifiText(now)))
}

// wifier is the camera as this command asks it.
type wifier interface {
	WiFi(ctx context.Context, q proto.WiFiRequest) (proto.WiFiStatus, error)
}

// join has the camera try the network, and waits for what becomes of it.
func (c wifiCmd) join(env *environment, camera wifier, before proto.WiFiStatus) error {
	w, err := c.network(env)
	if err != nil {
		return err
	}
	name := foreign.Name(c.Join)
	_, err = camera.WiFi(env.ctx, proto.WiFiRequest{Do: proto.WiFiDoJoin, WiFi: w})
	switch {
	case away(err): // its answer may be lost, and the camera on its way
		env.Note("The camera does not answer. It may be changing its network already.")
	case err != nil:
		return err
	default:
		env.Note("The camera leaves its network and tries %s. Within two minutes it is back, in one of them.", name)
	}
	last, err := awaitWiFi(env.ctx, camera, before.Last)
	switch {
	case err != nil:
		return err
	case last.Code != proto.CodeOK:
		return fmt.Errorf("the camera is in its former Wi-Fi network again, since %s did not work: %s", name, last.Reason)
	}
	return env.Print(last, "The camera has reached its broker through the Wi-Fi network %s, and stays in it.", name)
}

// network is what the command line names, with its password, which is never on it.
func (c wifiCmd) network(env *environment) (*proto.WiFi, error) {
	w, err := setupFlags{WiFi: c.Join, WiFiPasswordFile: c.PasswordFile, WiFiHidden: c.Hidden, WiFiOpen: c.Open}.network(env.in)
	if err != nil {
		return nil, err
	}
	if !c.Open && c.PasswordFile == "" {
		ask := env.questions()
		if ask == nil {
			return nil, command.Usage("name a file with the network's password by --password-file, or run this at a terminal to be asked; --open is for a network without one")
		}
		if w.Password, err = ask.password("Password of the Wi-Fi network " + foreign.Name(c.Join) + ": "); err != nil {
			return nil, err
		}
	}
	return w, proto.SetupSettings{WiFi: w}.Check()
}

// How long a change of the Wi-Fi may take: a minute for the new network, and the way back.
const (
	wifiPatience = 3 * time.Minute
	wifiPause    = 2 * time.Second
)

// awaitWiFi waits until the camera says what became of a change; before is the one before
// it, if there was one.
func awaitWiFi(ctx context.Context, camera wifier, before *proto.WiFiChange) (*proto.WiFiChange, error) {
	within, cancel := context.WithTimeout(ctx, wifiPatience)
	defer cancel()
	for {
		select {
		case <-within.Done():
		case <-time.After(wifiPause):
		}
		now, err := camera.WiFi(within, proto.WiFiRequest{Do: proto.WiFiDoStatus})
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case within.Err() != nil:
			return nil, errors.New("the camera has not come back. It goes on looking for the way to its broker in its former network; look whether that is there, and then camctl wifi says what became of the change")
		case away(err):
		case err != nil:
			return nil, err
		case now.Last != nil && (before == nil || now.Last.Entry != before.Entry):
			return now.Last, nil
		case now.Trying == "":
			return nil, errors.New("the camera did not get the request, and nothing was done. Try again")
		}
	}
}

// away reports whether an error is that of a camera that may come back.
func away(err error) bool {
	return errors.Is(err, client.ErrNoAnswer) || errors.Is(err, client.ErrOffline) || errors.Is(err, client.ErrLost)
}

// wifiText shows the networks, the one in use first and marked.
func wifiText(s proto.WiFiStatus) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(mark string, n proto.Network) {
		_, _ = fmt.Fprintln(w, columns(mark, foreign.Name(string(n.SSID)), string(n.Security), n.Band+" GHz", fmt.Sprintf("%d dBm", n.Signal))) // into memory
	}
	if s.Current != nil {
		row("*", *s.Current)
	}
	for _, n := range slices.DeleteFunc(slices.Clone(s.Networks), func(n proto.Network) bool { return s.Current != nil && n.SSID == s.Current.SSID }) {
		row("", n)
	}
	_ = w.Flush()
	text := strings.TrimRight(b.String(), "\n")
	said := []string{}
	if text != "" {
		said = append(said, text)
	}
	if s.Trying != "" {
		said = append(said, fmt.Sprintf("The camera tries the Wi-Fi network %s.", foreign.Name(string(s.Trying))))
	} else if s.Current == nil {
		said = append(said, "The camera is in no Wi-Fi network now.")
	}
	if s.Last != nil {
		worked := "worked."
		if s.Last.Code != proto.CodeOK {
			worked = "did not work, so the camera went back: " + foreign.Line(s.Last.Reason)
		}
		said = append(said, fmt.Sprintf("The last change, on %s, was to %s, and %s", clock(s.Last.At), foreign.Name(string(s.Last.SSID)), worked))
	}
	return strings.Join(said, "\n")
}
