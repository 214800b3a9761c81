package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/client/home"
)

// commandsFile defines for a shell camctl as Ben has it, and camd as somebody at the camera does.
const commandsFile = "people.sh"

// terminal makes what a person at a terminal needs, who is called Ben here: a home with keys, the
// key as ben.txt, for the page to let in, and the login at the broker as ben.pem.
func (d *demo) terminal() error {
	h, err := home.Open(filepath.Join(d.dir, "ben"))
	if err != nil {
		return err
	}
	keys, err := h.Keys()
	if err != nil {
		return err
	}
	card, err := keys.Card()
	if err != nil {
		return err
	}
	login, err := d.ca.Viewer(keys.ID())
	if err != nil {
		return err
	}
	key, err := pki.KeyPEM(login)
	if err != nil {
		return err
	}
	camctl := "camctl" // of PATH, unless there is one beside camd
	if beside := filepath.Join(filepath.Dir(d.program), camctl); exists(beside) {
		camctl = beside
	}
	commands := fmt.Sprintf("ben() { %s --home %s \"$@\"; }\natcamera() { %s \"$@\" --config %s; }\n",
		quoted(camctl), quoted(filepath.Join(d.dir, "ben")), quoted(d.program), quoted(d.configPath()))
	for name, text := range map[string]string{"ben.txt": home.FormatKey(card) + "\n", commandsFile: commands,
		"ben.pem": string(pki.CertificatePEM(login)) + string(key)} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("what Ben needs can't be written: %w", home.WithoutPath(err))
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// quoted writes a word for the shell (POSIX 2.2.2).
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// story is what a person can play through.
func (s *server) story() string {
	return fmt.Sprintf(`
   %s

is the page of a new owner, Anna. Open it in a browser, open the demo's camera, and watch.

   %s

is the room that the camera is in: hear what its loudspeaker plays, ring the bell, end a talk.

To let a guest in, open the first address in a private window too, or in another browser, which
has a key of its own: choose "Show my key" there, and Invite under People here. A member can
also be at a terminal:

   cd %s && . ./%s

   ben id                                     Ben's key: paste it on the page, under People, Invite
   ben add --broker-cert ben.pem --broker-key ben.pem CARD     the camera card that the page gives
   ben watch                                  what comes, in numbers; the page says meanwhile who watches
   ben log                                    who saw and heard what: an owner reads all, a guest their own
   ben log --verify                           compares those entries with what the camera signed, and prints none
   atcamera members                           who may do what; only somebody at the camera has atcamera
   atcamera log                               who saw and heard what
   atcamera evict                             removes everyone. To pair again, remove the camera from the page,
                                              and open the demo's camera

Ctrl-C ends the demo, and removes the camera, its keys and this folder.
`, s.pageURL(), s.roomURL(), quoted(s.demo.dir), commandsFile)
}
