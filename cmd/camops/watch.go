package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/pkg/update/release"
)

// releaseWitnessCmd is for who watches the maker's log.
type releaseWitnessCmd struct {
	passphraseFlag
	Init  string `arg:"--init" help:"make a witness's key of this name first, such as witness.example, and print the line by which makers pin it" placeholder:"NAME"`
	Key   string `arg:"--key" help:"the witness's key" default:"witness.key" placeholder:"FILE"`
	Log   string `arg:"--log" help:"the log's key (log.pub of the anchors)" placeholder:"FILE"`
	State string `arg:"--state" help:"what it signed last (default: the key's name with .seen)" placeholder:"FILE"`
	First bool   `arg:"--first" help:"it has never signed this log before"`
	Out   string `arg:"--out" help:"write the signed checkpoint to a file" placeholder:"FILE"`
	From  string `arg:"positional" help:"published folder, or its address" placeholder:"DIR|URL"`
}

// Run makes a witness's key, or signs.
func (c *releaseWitnessCmd) Run(env *environment) error {
	if c.Init != "" {
		passphrase, err := c.ask(env)(c.Init, true)
		if err != nil {
			return err
		}
		line, err := publish.MakeWitness(c.Key, c.Init, passphrase)
		if err != nil {
			return err
		}
		return say(env.out, "%s", line)
	}
	if c.From == "" || c.Log == "" {
		return command.Usage("name the log's key with --log, and the published folder or its address")
	}
	if _, err := os.Stat(c.Key); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: name the witness's key with --key, or make one with --init", c.Key)
	}
	if c.State == "" {
		c.State = c.Key + ".seen"
	}
	w := publish.Witness{LogKey: c.Log, Key: c.Key, State: c.State, Ask: c.ask(env)}
	if !c.First && !w.Remembers() {
		return fmt.Errorf("%s is not there, which tells what this witness signed last, so nothing is signed: bring it back, or say --first if this witness has never signed this log", c.State)
	}
	signed, cp, err := w.Sign(env.ctx, c.From)
	if err != nil {
		return err
	}
	if c.Out != "" {
		if err := os.WriteFile(c.Out, signed, 0o644); err != nil { //nolint:gosec // it is public
			return fmt.Errorf("write the signed checkpoint: %w", errors.Unwrap(err))
		}
	}
	return say(env.out, "The release log has %s, continues what was signed before, and is signed.", entries(cp.Size))
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// releaseMonitorCmd is for anybody.
type releaseMonitorCmd struct {
	Anchors string `arg:"--anchors,required" help:"folder of anchors, as in an image" placeholder:"DIR"`
	State   string `arg:"--state" help:"folder in which it keeps what it saw (default: in the user's cache)" placeholder:"DIR"`
	From    string `arg:"positional,required" help:"published folder, or its address" placeholder:"DIR|URL"`
}

// Run lists what is published.
func (c *releaseMonitorCmd) Run(env *environment) error {
	if c.State == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return errors.New("there is no folder to keep in what was seen: name one with --state")
		}
		log, err := readSmall(filepath.Join(c.Anchors, release.LogFile))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(log) // each log has a memory of its own
		c.State = filepath.Join(cache, "camops-monitor", hex.EncodeToString(sum[:8]))
	}
	r, err := publish.Monitor(env.ctx, c.Anchors, c.State, c.From)
	if err != nil && !errors.Is(err, publish.ErrWrong) {
		return err
	}
	for _, e := range r.Entries {
		goes := "not published"
		switch {
		case e.Offer != nil && e.Share.Halted:
			goes = "halted"
		case e.Offer != nil:
			goes = fmt.Sprintf("to %d%%", e.Share.Percent)
		}
		if err := say(env.out, "%4d  %-20s %-12s %s  %s", e.Index, e.Compatible, e.Version, e.Manifest, goes); err != nil {
			return err
		}
	}
	for _, w := range r.Wrong {
		if err := say(env.out, "%s", w); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return say(env.out, "%s, targets %d, signed by the log and %d of its witnesses. Everything that a camera can install is in the log.", entries(int64(len(r.Entries))), r.Targets, len(r.Witnesses))
}
