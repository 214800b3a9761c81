package studio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoEspeak says what to install.
var ErrNoEspeak = errors.New("espeak-ng is not installed: apt-get install espeak-ng")

// Espeak speaks texts with espeak-ng.
type Espeak struct {
	voice string
	rate  int // words a minute
	texts map[string]Text
}

// Text is what a clip says, and the voice for it if it isn't everyone's.
type Text struct{ Words, Voice string }

// NewEspeak returns a source that speaks texts in a voice of espeak-ng (one that
// `espeak-ng --voices` lists), at a rate in words a minute.
func NewEspeak(voice string, rate int, texts map[string]Text) (*Espeak, error) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		return nil, ErrNoEspeak
	}
	return &Espeak{voice, rate, texts}, nil
}

// Names returns the clips that there are texts for.
func (e *Espeak) Names() []string { return slices.Sorted(maps.Keys(e.texts)) }

// Sound speaks one text.
func (e *Espeak) Sound(ctx context.Context, name string) (Sound, error) {
	t := e.texts[name]
	voice := t.Voice
	if voice == "" {
		voice = e.voice
	}
	dir, err := os.MkdirTemp("", "camops")
	if err != nil {
		return Sound{}, fmt.Errorf("make a folder for espeak-ng: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// A file and not a pipe: only then espeak-ng writes the sound's true length.
	path := filepath.Join(dir, "clip.wav")
	cmd := exec.CommandContext(ctx, "espeak-ng", "-v", voice, "-s", strconv.Itoa(e.rate), "-w", path, "--stdin")
	cmd.Stdin = strings.NewReader(t.Words)
	// It looks for a PulseAudio server even so, and would leave a folder for it behind.
	cmd.Env = append(os.Environ(), "PULSE_RUNTIME_PATH="+dir)
	if said, err := cmd.CombinedOutput(); err != nil {
		return Sound{}, fmt.Errorf("speak %s in the voice %s with espeak-ng: %w: %s", name, voice, err, bytes.TrimSpace(said))
	}
	return readWAV(path)
}

func readWAV(path string) (Sound, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Sound{}, fmt.Errorf("read sound: %w", err)
	}
	s, err := parseWAV(data)
	if err != nil {
		return Sound{}, fmt.Errorf("read %s: %w", path, err)
	}
	return s, nil
}
