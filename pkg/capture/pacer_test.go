package capture

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
)

func TestPacerKeepsItsRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(10)
		begin := media.Now()
		for i, late := range []time.Duration{0, 0, 250 * time.Millisecond, 0, 0, 0, 5 * time.Second} {
			pts, missed, ok := p.wait()
			if want := time.Duration(i+1) * 100 * time.Millisecond; pts-begin != want || missed != 0 || !ok {
				t.Errorf("picture %d at %v, %d missed, want %v", i, pts-begin, missed, want)
			}
			time.Sleep(late)
		}
		if pts, missed, _ := p.wait(); missed != 49 || pts > media.Now() {
			t.Errorf("after a stop of 5 s: %d missed, stamped %v at %v", missed, pts, media.Now())
		}
		p.interrupt()
		p.interrupt()
		if _, _, ok := p.wait(); ok {
			t.Error("goes on after interrupt")
		}
	})
}

func writeFile(t *testing.T, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.h264")
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func openFile(path string) (stream, error) {
	cfg := testConfig()
	cfg.Source, cfg.File = SourceFile, path
	return fileSource{cfg}.open()
}

func TestFileThatCannotBePlayed(t *testing.T) {
	units := clipUnits()
	for name, path := range map[string]string{
		"missing":       filepath.Join(t.TempDir(), "none"),
		"a folder":      t.TempDir(),
		"empty":         writeFile(t),
		"no H.264":      writeFile(t, []byte("hello")),
		"no keyframe":   writeFile(t, units[1].Data, units[3].Data),
		"endless start": writeFile(t, []byte{0, 0, 1, 9}, make([]byte, avc.MaxUnit+1)),
	} {
		_, err := openFile(path)
		var f *fault
		if !errors.As(err, &f) {
			t.Errorf("%s: %v, want a fault with a sentence", name, err)
		}
	}
}

func TestFileBeginsAtItsFirstKeyframe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		units := clipUnits()
		s, err := openFile(writeFile(t, units[1].Data, units[0].Data, units[1].Data))
		if err != nil {
			t.Fatal(err)
		}
		last := time.Duration(-1 << 62)
		for i := range 6 {
			p, err := s.grab()
			if err != nil || len(p.data) != len(units[i%2].Data) || p.pts <= last {
				t.Fatalf("picture %d: %d bytes at %v after %v, %v", i, len(p.data), p.pts, last, err)
			}
			last = p.pts
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPlayingAFileAllocatesNothing(t *testing.T) {
	s, err := openFile(writeFile(t, clipData))
	if err != nil {
		t.Fatal(err)
	}
	s.(*film).pacer.interval = time.Microsecond
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.grab(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for each picture, want 0", n)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}
