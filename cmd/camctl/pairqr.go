package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	partTime   = 400 * time.Millisecond // for which a part is shown, docs/protocol.md 3.12.5
	answerTime = 10 * time.Minute       // for the camera to answer
)

// codeFlags are the flags of a pairing by the camera's lens.
type codeFlags struct {
	QR     bool   `arg:"--qr" help:"show the camera a code that it reads with its lens, where there is no other way to it; needs --broker"`
	PNG    string `arg:"--png" help:"with --qr: write the code as pictures into this folder, to be shown one after the other" placeholder:"DIR"`
	Device string `arg:"--device" help:"with --qr and a typed label: the camera's identifier, 26 characters, which the label's QR code has in it" placeholder:"ID"`
}

// check refuses what does not go together.
func (f codeFlags) check(broker string, ble bool) error {
	switch {
	case f.QR && ble:
		return command.Usage("--qr and --ble are two ways; take one")
	case !f.QR && (f.PNG != "" || f.Device != ""):
		return command.Usage("--png and --device go with --qr")
	case f.QR && broker == "":
		return command.Usage("--qr needs --broker, the address at which the camera will answer")
	}
	return nil
}

// pairByCode shows the code and waits for the camera at the broker.
func (p pairCmd) pairByCode(env *environment, h *home.Home, read labelOf, login home.Broker, est *proto.EST) (home.Record, error) {
	label, err := read(proto.DeviceID(p.Device))
	if p.Device == "" && err != nil {
		return home.Record{}, command.Usage("a typed label needs --device, the camera's identifier: there is nothing yet that could tell it")
	}
	if err != nil {
		return home.Record{}, badLabel(err)
	}
	keys, err := h.Keys()
	if err != nil {
		return home.Record{}, err
	}
	set, login, err := p.inCode(env, keys, label.Device, login, est)
	if err != nil {
		return home.Record{}, err
	}
	sealed, err := client.NewCode(label, keys, set)
	if err != nil {
		return home.Record{}, err
	}
	waiting, err := client.StartCodePairing(env.ctx, label, keys, login, env.log)
	if err != nil {
		return home.Record{}, err
	}
	defer waiting.Close()
	ctx, cancel := context.WithTimeout(env.ctx, answerTime)
	defer cancel()
	shown, err := p.show(ctx, env, sealed)
	if err != nil {
		return home.Record{}, err
	}
	r, err := waiting.Wait(ctx, sealed, h.Known(label.Device))
	cancel()
	<-shown
	if err != nil {
		return home.Record{}, err
	}
	if p.Name != "" {
		r.Name = p.Name
	}
	if err := h.Save(r); err != nil {
		return r, err
	}
	if len(set.Chain) > 0 {
		p.renew(env, r)
	}
	return r, nil
}

// inCode returns what the code sets, and the login with which this client waits. The camera
// can't be asked before, so it gets what the flags name, and either a certificate for a day,
// whose key the authority makes, or the enrolment server at which it gets one.
func (p pairCmd) inCode(env *environment, keys *home.Keys, device proto.DeviceID, login home.Broker, est *proto.EST) (set proto.SetupSettings, own home.Broker, err error) {
	if !p.wanted() {
		return set, login, nil
	}
	set.EST = est
	s := &setUp{env: env, flags: p.setupFlags, login: login, client: keys.ID(), device: device}
	if set.Broker, err = s.broker(); err != nil {
		return set, login, err
	}
	if est != nil && set.Broker.CA == "" { // a camera could not say so
		return set, login, command.Usage("--est needs --broker-ca, the authority by which the camera knows the enrolment server and its broker")
	}
	if p.WiFi != "" {
		if set.WiFi, err = p.network(env.in); err != nil {
			return set, login, err
		}
	}
	if p.CA != "" {
		folder, err := openAuthority(p.CA)
		if err != nil {
			return set, login, err
		}
		cert, err := folder.MakeShort(device)
		if err != nil {
			return set, login, err
		}
		set.Chain = cert.Certificate
		if set.Key, err = x509.MarshalPKCS8PrivateKey(cert.PrivateKey); err != nil {
			return set, login, fmt.Errorf("write the camera's key: %w", err)
		}
		if err := s.ownLogin(folder); err != nil {
			return set, login, err
		}
	}
	if err := set.Check(); err != nil {
		return set, login, err
	}
	own = s.login
	own.URL, own.CA = cmp.Or(p.ViewerBroker, own.URL), set.Broker.CA
	return set, own, nil
}

// renew gives the camera a certificate for a key of its own, since the key that it has was on
// a screen.
func (p pairCmd) renew(env *environment, r home.Record) {
	err := certificateCmd{Do: certificateRenew, Camera: string(r.Device), CA: p.CA}.Run(env)
	if err != nil {
		env.Note("The camera's certificate is good for a day, and it has no other yet: %v. Try camctl certificate renew --ca %s.", err, p.CA)
	}
}

// show begins to show the code, until ctx ends. The channel is closed when the code is not
// shown any more.
func (p pairCmd) show(ctx context.Context, env *environment, sealed client.Code) (<-chan struct{}, error) {
	done := make(chan struct{})
	switch {
	case p.PNG != "":
		close(done)
		return done, writeParts(env, p.PNG, sealed)
	case env.JSON:
		close(done)
		return done, env.Print(map[string]any{"code": sealed.Parts(), "milliseconds": partTime.Milliseconds()}, "")
	case !command.Terminal(env.Out):
		return nil, command.Usage("a code can only be shown at a terminal; write it as pictures with --png, or print what is in it with --json")
	}
	frames, columns, lines, err := drawParts(sealed)
	if err != nil {
		return nil, err
	}
	if w, h, ok := command.Size(env.Out); ok && (w < columns || h < lines) {
		return nil, command.Usage(fmt.Sprintf("the code needs a window of %d columns and %d lines, and this one has %d and %d; make it larger, or write the code as pictures with --png", columns, lines, w, h))
	}
	go func() {
		defer close(done)
		animate(ctx, env.raw, frames)
	}()
	return done, nil
}

// partFiles are the pictures of a code in a folder.
const partFiles = "code-[0-9][0-9]-of-[0-9][0-9].png"

func writeParts(env *environment, dir string, sealed client.Code) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, errors.Unwrap(err))
	}
	before, err := filepath.Glob(filepath.Join(dir, partFiles)) // of another code
	for _, path := range before {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return err
	}
	parts := sealed.Parts()
	for i, text := range parts {
		path := filepath.Join(dir, fmt.Sprintf("code-%02d-of-%02d.png", i+1, len(parts)))
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("write %s: %w", path, errors.Unwrap(err))
		}
		if err := errors.Join(command.WriteQR(f, text), f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	env.Note("The code is in %s, in %d pictures. Show them to the camera one after the other, again and again, each for about half a second, while its pairing window is open.", dir, len(parts))
	return nil
}

// Control sequences of terminals (ECMA-48; the alternate screen is xterm's).
const (
	otherScreen = "\x1b[?1049h\x1b[?25l\x1b[2J" // and no cursor
	usualScreen = "\x1b[?25h\x1b[?1049l"
	topLeft     = "\x1b[H"
	onWhite     = "\x1b[30;107m"
	plainColour = "\x1b[0m\x1b[K"
)

// drawParts draws each part, dark on light whatever the terminal's colours are, and returns
// how much room they need.
func drawParts(sealed client.Code) (frames []string, width, height int, err error) {
	parts := sealed.Parts()
	for i, text := range parts {
		lines, err := command.QRLines(text)
		if err != nil {
			return nil, 0, 0, err
		}
		foot := fmt.Sprintf("%d/%d  Show this to the camera. Ctrl-C stops.", i+1, len(parts))
		width, height = max(width, len(foot), utf8.RuneCountInString(lines[0])), max(height, len(lines)+1)
		var b strings.Builder
		b.WriteString(topLeft)
		for _, l := range lines {
			b.WriteString(onWhite + l + plainColour + "\r\n")
		}
		b.WriteString(foot + plainColour)
		frames = append(frames, b.String())
	}
	return frames, width, height, nil
}

// animate shows one frame after the other until ctx ends.
func animate(ctx context.Context, out io.Writer, frames []string) {
	_, _ = io.WriteString(out, otherScreen)
	defer func() { _, _ = io.WriteString(out, usualScreen) }()
	tick := time.NewTicker(partTime)
	defer tick.Stop()
	for i := 0; ; i++ {
		_, _ = io.WriteString(out, frames[i%len(frames)])
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
