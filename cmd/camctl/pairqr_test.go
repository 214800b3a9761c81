package main

import (
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
)

// A code is drawn in the colours that readers expect, in 24 lines, one part after the other,
// and the terminal is as before when that ends.
func TestACodeIsShownInTurn(t *testing.T) {
	frames, columns, lines, err := drawParts(client.Code(make([]byte, 2080)))
	if err != nil || len(frames) != 32 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	if columns != 45 || lines != 24 {
		t.Errorf("the longest code needs %d columns and %d lines", columns, lines)
	}
	if n := strings.Count(frames[0], "\n"); n != lines-1 || !strings.Contains(frames[0], onWhite) || !strings.HasPrefix(frames[0], topLeft) {
		t.Errorf("%d lines: %q", n, frames[0][:20])
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*partTime+partTime/2)
		defer cancel()
		var b strings.Builder
		animate(ctx, &b, []string{"one ", "two "})
		if want := otherScreen + "one two one two one " + usualScreen; b.String() != want {
			t.Errorf("shown %q, want %q", b.String(), want)
		}
	})
}

func TestACodeIsWrittenAsPictures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "code")
	env := &environment{Output: command.Output{JSON: true}}
	for _, n := range []int{200, 65} { // what is left of a longer one must not be shown with it
		if err := writeParts(env, dir, client.Code(make([]byte, n))); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != (n+64)/65 {
			t.Fatalf("%v, %v", files, err)
		}
		for _, path := range files {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = png.Decode(f)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	if err := writeParts(env, filepath.Join(dir, "code-01-of-01.png"), nil); err == nil {
		t.Error("a file is taken for a folder")
	}
}
