package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// The people of the demo. Anna pairs the camera and looks at the page.
const (
	demoOwner  = "Anna"
	demoSecond = "Ben"  // an owner too
	demoGuest  = "Cara" // a guest
	demoOther  = "Dan"  // not let in yet
)

// person is one of them, with a home and a login for the broker.
type person struct {
	name  string
	home  *home.Home
	keys  *home.Keys
	login home.Broker
}

// person makes a home, and beside it what a person at a terminal needs: the login for
// the broker as files NAME.crt and NAME.key, and the key as NAME.txt.
func (d *demo) person(name string) (p person, err error) {
	p.name = name
	base := strings.ToLower(name)
	if p.home, err = home.Open(filepath.Join(d.dir, base)); err != nil {
		return p, err
	}
	if p.keys, err = p.home.Keys(); err != nil {
		return p, err
	}
	card, err := p.keys.Card()
	if err != nil {
		return p, err
	}
	if err := os.WriteFile(filepath.Join(d.dir, base+".txt"), []byte(home.FormatKey(card)+"\n"), 0o600); err != nil {
		return p, err
	}
	cert, err := d.ca.Viewer(p.keys.ID())
	if err != nil {
		return p, err
	}
	if _, _, err := pki.WritePair(d.dir, base, cert); err != nil {
		return p, err
	}
	key, err := pki.KeyPEM(cert)
	p.login = home.Broker{Certificate: string(pki.CertificatePEM(cert)), Key: string(key)}
	return p, err
}

// gather makes everyone's home and lets Ben and Cara in, as camctl grant and
// camctl add do.
func (d *demo) gather() error {
	for name, role := range map[string]proto.Role{demoSecond: proto.RoleOwner, demoGuest: proto.RoleGuest, demoOther: ""} {
		p, err := d.person(name)
		if err != nil {
			return fmt.Errorf("what %s needs can't be made: %w", name, err)
		}
		if role == "" {
			continue
		}
		if err := d.letIn(p, role); err != nil {
			return err
		}
	}
	return d.writeCommands()
}

func (d *demo) letIn(p person, role proto.Role) error {
	card, err := p.keys.Card()
	if err != nil {
		return err
	}
	if _, err := d.camera.Grant(d.env.ctx, proto.Grant{Card: string(card), Name: p.name, Role: role, Scopes: role.Preset()}); err != nil {
		return fmt.Errorf("%s can't be let in: %w", p.name, err)
	}
	key, _, err := home.ParseKey(home.FormatKey(card))
	if err != nil {
		return err
	}
	sealed, err := d.camera.Record().Card(d.camera.Keys(), key, p.name, role, p.login)
	if err != nil {
		return err
	}
	invited, err := p.home.OpenCard(sealed, p.keys)
	if err != nil {
		return err
	}
	return p.home.Save(invited.Record)
}

// commandsFile defines each person's camctl for a shell.
const commandsFile = "people.sh"

func (d *demo) writeCommands() error {
	camctl := "camctl" // of PATH, unless there is one beside camdemo
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), camctl)
		if _, err := os.Stat(beside); err == nil {
			camctl = beside
		}
	}
	program, err := filepath.Abs(d.program)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, name := range []string{demoOwner, demoSecond, demoGuest, demoOther} {
		base := strings.ToLower(name)
		fmt.Fprintf(&b, "%s() { %s --home %s \"$@\"; }\n", base, quoted(camctl), quoted(filepath.Join(d.dir, base)))
	}
	fmt.Fprintf(&b, "atcamera() { %s \"$@\" --config %s; }\n", quoted(program), quoted(filepath.Join(d.dir, configFile)))
	return os.WriteFile(filepath.Join(d.dir, commandsFile), []byte(b.String()), 0o600)
}

// quoted writes a word for the shell (POSIX 2.2.2).
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// script is what a person can play through, in a terminal beside the page.
func (d *demo) script() string {
	return fmt.Sprintf(`On the page you are %[2]s, an owner. Turn its loudspeaker on and talk: you hear what the room
hears, the chime and your name first. In another terminal you can be the others, too:

   cd %[1]s && . ./%[3]s

   anna members -v                            who may do what; ben id shows the same words for Ben
   cara watch                                 look at the page: it says so, and who watches
   anna revoke Cara                           while Cara watches, in a third terminal: it ends at once
   ben privacy on                             the page goes dark; its switch brings the picture back
   ben grant --to dan.txt --name Dan --scopes view --card dan.card --broker-cert dan.crt --broker-key dan.key
   dan add dan.card && dan watch --mute       a guest who may see and not hear
   ben events --follow                        what every member is told at once
   atcamera talk end                          while you talk from the page: silence, for ten minutes
   atcamera ring                              the bell; then: ben events, ben events --save pictures
   ben snapshot now.jpg                       one picture, and everyone is told
   anna log && anna log --verify              who saw and heard what, proved
   atcamera evict                             at the camera: everyone is out`, quoted(d.dir), demoOwner, commandsFile)
}
