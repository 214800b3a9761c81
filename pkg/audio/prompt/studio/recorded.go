package studio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/pkg/audio/prompt"
)

// Recorded is a folder of WAV files that are named as the clips: phrase/is-speaking.wav.
type Recorded struct {
	dir   string
	names []string
}

// OpenRecorded looks for WAV files in a folder. It refuses names that no clip can have.
func OpenRecorded(dir string) (*Recorded, error) {
	r := &Recorded{dir: dir}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		name, sound := strings.CutSuffix(path, ".wav")
		switch {
		case err != nil:
			return err
		case d.IsDir() || !sound:
			return nil
		case !prompt.ValidName(name):
			return fmt.Errorf("%s is no name of a clip; those are of a-z, 0-9, - and /", name)
		}
		r.names = append(r.names, name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for recordings in %s: %w", dir, err)
	}
	if r.names == nil {
		return nil, errors.New("there is no recording (*.wav) in " + dir)
	}
	return r, nil
}

// Names returns the clips that there are recordings of.
func (r *Recorded) Names() []string { return r.names }

// Sound reads one recording.
func (r *Recorded) Sound(_ context.Context, name string) (Sound, error) {
	return readWAV(filepath.Join(r.dir, filepath.FromSlash(name)+".wav"))
}
