package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/pkg/foreign"
)

// releaseCmd publishes what cameras update themselves with. docs/operations.md.
type releaseCmd struct {
	Init    *releaseInitCmd    `arg:"subcommand:init" help:"make all keys, and the folder in which releases are prepared"`
	Add     *releaseAddCmd     `arg:"subcommand:add" help:"put a bundle into the draft of the next release"`
	Sign    *releaseSignCmd    `arg:"subcommand:sign" help:"sign the draft with an offline key"`
	Rekey   *releaseRekeyCmd   `arg:"subcommand:rekey" help:"make another key in the place of one that is lost or known to others"`
	Publish *releasePublishCmd `arg:"subcommand:publish" help:"bring everything into a folder for a web server, and renew what ends soon"`
	Rollout *releaseRolloutCmd `arg:"subcommand:rollout" help:"set the percentage of cameras that get a release"`
	Halt    *releaseHaltCmd    `arg:"subcommand:halt" help:"withhold a release from the cameras that don't have it yet"`
	Witness *releaseWitnessCmd `arg:"subcommand:witness" help:"sign the release log as a witness"`
	Monitor *releaseMonitorCmd `arg:"subcommand:monitor" help:"list every release that any camera can install, and check the log"`
}

// releaseFolder names the maker's folder.
type releaseFolder struct {
	Dir string `arg:"--dir" help:"folder in which releases are prepared" default:"camd-release" placeholder:"DIR"`
}

// passphraseFlag says where passphrases come from.
type passphraseFlag struct {
	PassphraseFile string `arg:"--passphrase-file" help:"file whose first line is the passphrase (default: it is asked for at the terminal)" placeholder:"FILE"`
}

// ask reads a passphrase from the file, or at the terminal without showing it.
func (p passphraseFlag) ask(env *environment) publish.Passphrase {
	return func(name string, again bool) ([]byte, error) {
		if p.PassphraseFile != "" {
			text, err := readSmall(p.PassphraseFile)
			if err != nil {
				return nil, err
			}
			line, _, _ := bytes.Cut(text, []byte("\n"))
			return notEmpty(bytes.TrimSuffix(line, []byte("\r")))
		}
		first, err := atTerminal(env, "Passphrase of the key "+foreign.Name(name)+": ")
		if err != nil || !again {
			return first, err
		}
		second, err := atTerminal(env, "The same again: ")
		if err == nil && !bytes.Equal(first, second) {
			err = errors.New("the two passphrases differ: begin again")
		}
		return first, err
	}
}

func atTerminal(env *environment, prompt string) ([]byte, error) {
	f, ok := env.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, errors.New("there is no terminal to ask for a passphrase at: name a file with --passphrase-file")
	}
	if _, err := fmt.Fprint(env.out, prompt); err != nil {
		return nil, fmt.Errorf("ask for a passphrase: %w", err)
	}
	text, err := term.ReadPassword(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	if err := say(env.out, ""); err != nil {
		return nil, err
	}
	return notEmpty(text)
}

func notEmpty(passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("an empty passphrase protects nothing: give another one")
	}
	return passphrase, nil
}

type releaseInitCmd struct {
	releaseFolder
	passphraseFlag
	Origin  string   `arg:"--origin" help:"name of the release log, for ever: a host name of yours and a path" default:"camd.example/releases" placeholder:"NAME"`
	Witness []string `arg:"--witness,separate" help:"a witness's key, the line that camops release witness --init printed; may be given again (default: a development witness on this machine)" placeholder:"KEY"`
	Need    int      `arg:"-n,--need" help:"how many witnesses must sign" default:"1" placeholder:"N"`
}

// Run makes the folder.
func (c *releaseInitCmd) Run(env *environment) error {
	f, err := publish.Init(c.Dir, publish.Options{Origin: c.Origin, Witnesses: c.Witness, Need: c.Need}, c.ask(env))
	if err != nil {
		return err
	}
	note := ""
	if len(c.Witness) == 0 {
		note = fmt.Sprintf("The witness is one for development, on this machine: it proves nothing to anyone else. It signs by camops release witness --key %s --log %s DIR, with --first the first time. Have others make theirs by camops release witness --init, and begin again with --witness before you ship.\n",
			f.Path("keys", "witness.key"), f.Path("anchors", "log.pub"))
	}
	return say(env.out, "The folder is %s. Two of the three root keys and two of the three targets keys sign: give each of %s and %s to another person, and keep none of them on this machine.\n"+
		"%s"+
		"What %s holds goes into the image, to /usr/share/camd/update.\n"+
		"Next: camops release add --bundle FILE",
		c.Dir, f.Path("keys", "root-*.key"), f.Path("keys", "targets-*.key"), note, f.Path("anchors"))
}

type releaseAddCmd struct {
	releaseFolder
	Bundle   string `arg:"--bundle" help:"RAUC bundle, of the format verity" placeholder:"FILE"`
	Minimum  string `arg:"--minimum" help:"oldest version that may update to it directly (default: any)" placeholder:"VERSION"`
	Lowest   string `arg:"--lowest" help:"nothing older may be installed once it is confirmed (default: as --minimum)" placeholder:"VERSION"`
	Notes    string `arg:"--notes" help:"what is new, for people" placeholder:"TEXT"`
	Security bool   `arg:"--security" help:"it closes a security hole, so households can postpone it less"`
	SBOM     string `arg:"--sbom" help:"CycloneDX file to publish beside it" placeholder:"FILE"`
	Discard  bool   `arg:"--discard" help:"remove the draft instead"`
}

// Run drafts a release.
func (c *releaseAddCmd) Run(env *environment) error {
	if (c.Bundle == "") != c.Discard {
		return command.Usage("give either --bundle or --discard")
	}
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if c.Discard {
		if err := f.Discard(); err != nil {
			return err
		}
		return say(env.out, "The draft is removed. What the release log was told already stays in it.")
	}
	r, err := f.Add(publish.Release{Bundle: c.Bundle, Minimum: c.Minimum, Lowest: c.Lowest, Notes: c.Notes, Security: c.Security, SBOM: c.SBOM})
	if err != nil {
		return err
	}
	return say(env.out, "Version %s for %s is drafted, entry %d of the release log. Two of the targets keys have to sign: camops release sign KEY", r.Version, r.Compatible, r.Log)
}

type releaseSignCmd struct {
	releaseFolder
	passphraseFlag
	Renew bool   `arg:"--renew" help:"draft root and targets with new ends first"`
	Key   string `arg:"positional,required" help:"file of an offline key, such as targets-1.key" placeholder:"KEY"`
}

// Run signs what waits for the key.
func (c *releaseSignCmd) Run(env *environment) error {
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if c.Renew {
		if err := f.Renew(); err != nil {
			return err
		}
	}
	changes, err := f.Changes()
	if err != nil {
		return err
	}
	for _, line := range changes { // before the passphrase is asked for
		if err := say(env.out, "%s", line); err != nil {
			return err
		}
	}
	l, err := f.Sign(c.Key, c.ask(env))
	if err != nil {
		return err
	}
	for _, s := range l {
		if err := say(env.out, "%s %d: %d of %d signatures.", s.Role, s.Version, s.Have, s.Need); err != nil {
			return err
		}
	}
	return nil
}

type releaseRekeyCmd struct {
	releaseFolder
	passphraseFlag
	Name string `arg:"positional,required" help:"root-1 to root-3, targets-1 to targets-3, snapshot, timestamp or rollout" placeholder:"NAME"`
}

// Run drafts a root with another key.
func (c *releaseRekeyCmd) Run(env *environment) error {
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := f.Rekey(c.Name, c.ask(env)); err != nil {
		return err
	}
	sign := "Two of the old root keys and two of the new ones have to sign that"
	switch {
	case strings.HasPrefix(c.Name, "targets-"):
		sign = "Two of the root keys have to sign that, and two of the targets keys the list of releases again"
	case c.Name == "rollout":
		sign = "Two of the targets keys have to sign that"
	}
	return say(env.out, "The new key is %s, and goes to %s when what names it is published. %s: camops release sign KEY",
		f.Path("draft", c.Name+".key"), f.Path("keys"), sign)
}

type releasePublishCmd struct {
	releaseFolder
	To string `arg:"positional,required" help:"folder for a web server" placeholder:"DIR"`
}

// Run publishes.
func (c *releasePublishCmd) Run(env *environment) error {
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := f.Publish(c.To); err != nil {
		return err
	}
	if err := say(env.out, "Published in %s. It lasts for a week: publish again every day.", c.To); err != nil {
		return err
	}
	soon, err := f.EndsSoon()
	for _, line := range soon {
		err = errors.Join(err, say(env.out, "%s", line))
	}
	return err
}

type releaseRolloutCmd struct {
	releaseFolder
	Compatible string `arg:"--compatible" help:"kind of camera (default: the only one)" placeholder:"NAME"`
	Version    string `arg:"positional,required" help:"the release" placeholder:"VERSION"`
	Percent    string `arg:"positional,required" help:"such as 5% or 100%" placeholder:"PERCENT"`
}

// Run changes the rollout.
func (c *releaseRolloutCmd) Run(env *environment) error {
	percent, err := strconv.Atoi(strings.TrimSuffix(c.Percent, "%"))
	if err != nil {
		return command.Usage(fmt.Sprintf("%q is no percentage: write 5%%", c.Percent))
	}
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := f.SetRollout(c.Compatible, c.Version, percent); err != nil {
		return err
	}
	return say(env.out, "Version %s goes to %d%% of the cameras when you publish next.", c.Version, percent)
}

type releaseHaltCmd struct {
	releaseFolder
	Compatible string `arg:"--compatible" help:"kind of camera (default: the only one)" placeholder:"NAME"`
	Version    string `arg:"positional" help:"the release (default: all)" placeholder:"VERSION"`
}

// Run halts.
func (c *releaseHaltCmd) Run(env *environment) error {
	f, err := publish.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := f.Halt(c.Compatible, c.Version); err != nil {
		return err
	}
	return say(env.out, "Halted when you publish next. Cameras that have installed it keep it; camops release rollout goes on.")
}
