package audio

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/pkg/audio/audiotest"
	"github.com/camd-project/camd/pkg/audio/paced"
)

func TestStreamsKeepTheContract(t *testing.T) {
	for name, open := range map[string]func() (audiotest.Stream, error){
		"fake": func() (audiotest.Stream, error) { return audiotest.NewMic(), nil },
		"tone": func() (audiotest.Stream, error) { return newTone(), nil },
	} {
		t.Run(name, func(t *testing.T) { audiotest.Contract(t, open) })
	}
}

func TestPlayersKeepTheContract(t *testing.T) {
	path := filepath.Join(t.TempDir(), "played.raw")
	for name, open := range map[string]func() (audiotest.Player, error){
		"fake": func() (audiotest.Player, error) { return audiotest.NewSpeaker(), nil },
		"null": func() (audiotest.Player, error) { return paced.New(), nil },
		"file": func() (audiotest.Player, error) { return openRecorder(path) },
	} {
		t.Run(name, func(t *testing.T) { audiotest.ContractSpeaker(t, synctest.Test, open) })
	}
}
