package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/panel/evdev"
	"github.com/camd-project/camd/pkg/panel/led"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup"
	"github.com/camd-project/camd/pkg/setup/wifi"
	"github.com/camd-project/camd/pkg/store"
)

// checkTime bounds the look at the broker.
const checkTime = 15 * time.Second

type checkCmd struct{ configFlag }

// Run prints the table. It exits with 1 if something that camd needs is missing.
func (c checkCmd) Run(env *environment) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	r := &report{w: tabwriter.NewWriter(env.out, 0, 0, 2, ' ', 0)}
	r.line("configuration", "ok", c.Config)
	r.place(cfg)
	r.cameras(env.ctx, cfg)
	r.sound(cfg.Audio)
	r.parts(cfg)
	id := r.identity(cfg)
	own := r.setup(env.ctx, cfg)
	r.broker(env.ctx, cfg, id, own)
	r.certificate(cfg, id, own)
	if err := cfg.Live.CheckCredentials(); err != nil {
		r.fail("relay", err.Error())
	}
	r.meeting(reach(cfg.Link, own))
	r.keys(cfg, id)
	r.stores(cfg)
	r.buttons(cfg.Panel)
	r.leds(cfg.Panel)
	r.settings(env.ctx, cfg)
	r.updates(env.ctx, cfg)
	r.bluetooth(env.ctx, cfg.Setup.BLE)
	r.wifi(env.ctx, wifi.New(slog.New(slog.DiscardHandler), nil))
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if r.wrong > 0 {
		return fmt.Errorf("%d of these need attention", r.wrong)
	}
	return nil
}

func (r *report) identity(cfg config.Config) *identity.Identity {
	id, err := identity.Load(cfg.Device.State, cfg.Device.TPM)
	if errors.Is(err, identity.ErrMissing) {
		r.fail("identity", "none yet: run camd factory init")
		return nil
	}
	if err != nil {
		r.fail("identity", err.Error())
		return nil
	}
	digest := sha256.Sum256([]byte("camd check"))
	if _, err := id.Signer().Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		r.fail("identity", err.Error())
		return nil
	}
	r.line("identity", "ok", fmt.Sprintf("%s, %s", id.DeviceID(), proto.IdentityWords(id.Class())))
	return id
}

// setup is what the camera was set up with.
func (r *report) setup(ctx context.Context, cfg config.Config) setup.Settings {
	own, err := setup.Read(ctx, cfg.Device.State, func(_ context.Context, path string) error { return store.CheckFile(path) })
	if err != nil && !errors.Is(err, store.ErrLocked) { // by the camd that runs, which is asked
		r.fail("set-up", strings.TrimSpace(err.Error())+": camd run makes it again if it is damaged, and an owner sets the camera up again")
	}
	return own
}

func (r *report) broker(ctx context.Context, cfg config.Config, id *identity.Identity, own setup.Settings) {
	if id == nil {
		r.line("broker", "?", "can't be tried without an identity")
		return
	}
	// A camd that runs is asked, and not pushed off the broker, which knows one connection
	// for each device.
	if a, err := ask(cfg.Device.Socket, adminRequest{Cmd: "status"}); err == nil {
		for _, c := range a.Status.Conditions {
			switch {
			case c.Name != "broker":
			case c.State == "ok":
				r.line("broker", "ok", "the running camd is connected")
			default:
				r.fail("broker", "the running camd says: "+c.Reason)
			}
		}
		return
	}
	reached := reach(cfg.Link, own)
	if reached.Broker == "" {
		r.line("broker", "-", notSetUp)
		return
	}
	cert, err := operational(cfg, id, own)
	if err != nil {
		r.fail("broker", err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := link.Check(ctx, reached, link.Login{Certificate: cert, Identity: id.Signer()}); err != nil {
		r.fail("broker", err.Error())
		return
	}
	r.line("broker", "ok", "reached "+reached.Broker)
}

// keys looks at what a household has before it has members: its keys.
func (r *report) keys(cfg config.Config, id *identity.Identity) {
	if id == nil {
		r.line("household", "?", "can't be judged without an identity")
		return
	}
	err := auth.CheckKeys(cfg.Device.State, id)
	switch {
	case errors.Is(err, store.ErrDamaged), errors.Is(err, store.ErrMissing):
		r.fail("household", err.Error()+": camd run will begin a new epoch, and everyone pairs again")
	case err != nil:
		r.fail("household", err.Error())
	default:
		r.line("household", "ok", "its keys")
	}
}

func (r *report) stores(cfg config.Config) {
	for _, path := range append(auth.StoreFiles(cfg.Device.State), setup.StoreFile(cfg.Device.State)) {
		err := store.CheckFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.line("store", "-", path+" does not exist yet; camd run makes it")
		case errors.Is(err, store.ErrLocked):
			r.line("store", "ok", path+" is in use by the running camd")
		case err != nil:
			r.fail("store", strings.TrimSpace(err.Error()))
		default:
			size := "size unknown"
			if info, err := os.Stat(path); err == nil {
				size = fmt.Sprintf("%d KiB", (info.Size()+1023)/1024)
			}
			r.line("store", "ok", path+", "+size)
		}
	}
}

// buttons lists the input devices, and looks for those that are configured.
func (r *report) buttons(cfg panel.Config) {
	devices, err := panel.Probe()
	if err != nil {
		r.line("buttons", "?", err.Error())
		return
	}
	for _, d := range devices {
		r.line("input", "ok", fmt.Sprintf("%s %s", d.Path, foreign.Name(d.Name)))
	}
	configured := []string{cfg.PairingButton, cfg.PrivacyButton, cfg.BellButton}
	for _, b := range configured {
		name, _, _ := strings.Cut(b, "/")
		if b != "" && !slices.ContainsFunc(devices, func(d evdev.Device) bool { return d.Name == name }) {
			r.fail("button", fmt.Sprintf("no input device is called %q", name))
		}
	}
	if strings.Join(configured, "") == "" {
		r.line("buttons", "-", "none is configured: camd pair, privacy, talk, ring, evict and reset do the same at the terminal")
	}
}

// leds lists the LEDs, and looks for those that are configured. It switches none.
func (r *report) leds(cfg panel.Config) {
	l, err := panel.ProbeLEDs()
	if err != nil {
		r.line("LEDs", "?", err.Error())
		return
	}
	for _, d := range l {
		r.line("LED", "ok", fmt.Sprintf("%s, brightness to %d, trigger %s", foreign.Name(d.Name), d.Max, cmp.Or(d.Trigger, "unknown")))
	}
	r.led("live LED", cfg.LiveLED, l)
	r.led("status LED", cfg.StatusLED, l)
	switch cfg.LiveLED {
	case "":
		r.line("live LED", "-", "none is configured, so nothing at the device shows when someone watches: set panel.live_led, to \"none\" if the board has none")
	case "none":
		r.line("live LED", "-", "this board has none: nothing at the device shows when someone watches")
	}
}

func (r *report) led(what, name string, l []led.Info) {
	if name == "" || name == "none" {
		return
	}
	i := slices.IndexFunc(l, func(d led.Info) bool { return d.Name == name })
	switch {
	case i < 0:
		r.fail(what, fmt.Sprintf("no LED is called %q", name))
	case l[i].Err != nil:
		r.fail(what, l[i].Err.Error())
	default:
		r.line(what, "ok", name)
	}
}

// settings shows what is in force, and whether household or configuration says so.
func (r *report) settings(ctx context.Context, cfg config.Config) {
	if err := checkName(cfg.Device.Name); err != nil {
		r.fail("device", err.Error())
	}
	if err := cfg.Household.Check(); err != nil {
		r.fail("household", err.Error())
		return
	}
	s, err := auth.ReadSettings(ctx, settingsConfig(cfg))
	if a, running := ask(cfg.Device.Socket, adminRequest{Cmd: "settings"}); running == nil {
		s, err = *a.Settings, nil
	}
	if err != nil {
		r.line("settings", "?", err.Error())
		return
	}
	for _, setting := range settingLines(s) {
		f := strings.Split(setting, "\t")
		line := f[0] + " is " + cmp.Or(f[1], "empty")
		if f[2] != "" {
			line += ", by the " + f[2]
		}
		r.line("setting", "ok", line)
	}
}

func settingsConfig(cfg config.Config) auth.Config {
	return auth.Config{State: cfg.Device.State, TPM: cfg.Device.TPM, Name: cfg.Device.Name, Household: cfg.Household}
}
