package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/audio/prompt/studio"
)

const packetLength = 20 * time.Millisecond

type promptsCmd struct {
	Out   string `arg:"--out" help:"file to write the archive to" placeholder:"FILE"`
	Voice string `arg:"--voice" default:"en" help:"voice of espeak-ng that speaks" placeholder:"VOICE"`
	Rate  int    `arg:"--rate" default:"170" help:"how fast, in words a minute" placeholder:"N"`
	Names string `arg:"--names" help:"file of first names, one a line and maybe a voice (default: 130 common ones)" placeholder:"FILE"`
	From  string `arg:"--from" help:"folder of recordings (phrase/is-speaking.wav) that are taken instead of espeak-ng" placeholder:"DIR"`
	List  string `arg:"--list" help:"list what the archive in a file contains" placeholder:"FILE"`
}

// Run makes an archive, or lists one.
func (c *promptsCmd) Run(env *environment) error {
	switch {
	case (c.Out == "") == (c.List == ""):
		return command.Usage("give either --out or --list")
	case c.List != "":
		return c.list(env)
	case c.From != "" && c.Names != "":
		return command.Usage("--names is for espeak-ng; with --from, record name/anna.wav")
	}
	if err := replaceable(c.Out); err != nil {
		return err
	}
	source, err := c.source()
	if err != nil {
		return err
	}
	data, err := studio.Make(env.ctx, source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, data, 0o644); err != nil { //nolint:gosec // goes into an image, for anyone to read
		return fmt.Errorf("write archive: %w", err)
	}
	_, err = fmt.Fprintf(env.out, "%s: %d bytes\n", c.Out, len(data))
	return err
}

// replaceable refuses a place where something else lies than an archive.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().IsRegular() {
		_, err = prompt.Open(path)
	} else if err == nil {
		err = errors.New("no regular file")
	}
	if err != nil {
		return fmt.Errorf("%s is there already and is no archive; nothing was made. Name another file", path)
	}
	return nil
}

// source opens what the clips are made of.
func (c *promptsCmd) source() (studio.Source, error) {
	if c.From != "" {
		return studio.OpenRecorded(c.From)
	}
	var names io.Reader // none
	if c.Names != "" {
		f, err := os.Open(c.Names)
		if err != nil {
			return nil, fmt.Errorf("open list of names: %w", err)
		}
		defer func() { _ = f.Close() }() // only read
		names = f
	}
	texts, err := studio.Texts(names)
	if err != nil {
		return nil, err
	}
	return studio.NewEspeak(c.Voice, c.Rate, texts)
}

// list prints each clip, its length and size, and fails if one is missing.
func (c *promptsCmd) list(env *environment) error {
	a, err := prompt.Open(c.List)
	if err != nil {
		return err
	}
	for _, name := range a.Names() {
		packets, err := a.Clip(name)
		if err != nil {
			return err
		}
		size := len(bytes.Join(packets, nil))
		length := time.Duration(len(packets)) * packetLength
		if _, err := fmt.Fprintf(env.out, "%-28s %5.2f s %6d bytes\n", name, length.Seconds(), size); err != nil {
			return err
		}
	}
	return a.Check()
}
