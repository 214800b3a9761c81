package audio

import (
	"testing"

	"github.com/camd-project/camd/pkg/audio/audiotest"
)

func TestStreamsKeepTheContract(t *testing.T) {
	for name, open := range map[string]func() (audiotest.Stream, error){
		"fake": func() (audiotest.Stream, error) { return audiotest.NewMic(), nil },
		"tone": func() (audiotest.Stream, error) { return newTone(), nil },
	} {
		t.Run(name, func(t *testing.T) { audiotest.Contract(t, open) })
	}
}
