package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/foreign"
)

// sound lists the sound cards for both directions, and how echo would be cancelled.
func (r *report) sound(cfg audio.Config) {
	in, out := r.microphones(cfg), r.speakers(cfg)
	switch {
	case cfg.Source == "off" || cfg.Speaker == "off":
		return
	case in == "" || out == "":
		r.line("echo", "?", "unknown without both a microphone and a speaker")
		return
	}
	handling, why := audio.EchoHandling(cfg, in, out)
	r.line("echo", "ok", fmt.Sprintf("%s between %s and %s: %s", handling, in, out, why))
}

// microphones returns the one that would be used.
func (r *report) microphones(cfg audio.Config) string {
	if cfg.Source != "alsa" {
		r.line("microphone", "ok", "source is "+cfg.Source+": no card is used")
		return cfg.Source
	}
	cards, err := audio.Probe()
	if err != nil {
		r.fail("microphone", err.Error())
		return ""
	}
	if len(cards) == 0 {
		r.fail("microphone", "no card can capture: looked at /dev/snd/pcmC*D*c; plug one in or set audio.source = \"off\"")
	}
	return r.cards("microphone", cards, cfg.Device)
}

// speakers returns the one that would be used. A board may do without.
func (r *report) speakers(cfg audio.Config) string {
	switch cfg.Speaker {
	case "off":
		r.line("speaker", "-", "audio.speaker is off: nobody can be announced, so nobody may talk")
		return ""
	case "file":
		if why := unwritable(cfg.SpeakerFile); why != "" {
			r.fail("speaker", why)
			return ""
		}
		r.line("speaker", "ok", cfg.SpeakerFile+": no card is used")
		return cfg.Speaker
	case "null":
		r.line("speaker", "ok", "null: no card is used")
		return cfg.Speaker
	}
	cards, err := audio.Outputs()
	if err != nil {
		r.fail("speaker", err.Error())
		return ""
	}
	if len(cards) == 0 {
		r.line("speaker", "-", "no card can play: looked at /dev/snd/pcmC*D*p. Nobody can be announced, so nobody may talk; set audio.speaker = \"off\" if the board has none")
	}
	return r.cards("speaker", cards, cfg.Speaker)
}

// unwritable says why a file can't be written; empty: it can, or isn't named.
func unwritable(path string) string {
	if path == "" {
		return ""
	}
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return path + " is a folder: let audio.speaker_file name a file"
	case err == nil:
		if err := audio.CheckSpeakerFile(path); err != nil {
			return err.Error()
		}
	case unix.Access(filepath.Dir(path), unix.W_OK) != nil:
		return "this user can't make " + path + ": make its folder, or let audio.speaker_file name another"
	}
	return ""
}

// cards lists devices and returns the one that would be used.
func (r *report) cards(what string, cards []audio.CardInfo, wanted string) (used string) {
	listed := wanted == "auto"
	for _, c := range cards {
		detail := fmt.Sprintf("%s %s, %d to %d Hz, %d to %d channels", c.Device, foreign.Name(c.Card), c.MinRate, c.MaxRate, c.MinChannels, c.MaxChannels)
		switch {
		case c.Err != nil:
			r.line(what, "?", fmt.Sprintf("%s %s: %v", c.Device, foreign.Name(c.Card), c.Err))
		case !c.Usable:
			r.line(what, "-", detail+": camd needs 48000 Hz, mono or stereo, 16 bits")
		case used == "" && (wanted == "auto" || wanted == c.Device):
			used = c.Device
			r.line(what, "ok", detail+"; this one is used")
		default:
			r.line(what, "ok", detail)
		}
		listed = listed || wanted == c.Device
	}
	if !listed {
		r.fail(what, "there is no device "+wanted)
	}
	return used
}
