package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// append adds to what was played.
func (l loudspeaker) append(t *testing.T, samples string) {
	t.Helper()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(samples); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestLoudspeakerFollowsWhatIsPlayed(t *testing.T) {
	l := loudspeaker{filepath.Join(t.TempDir(), "played")}
	l.append(t, "what nobody listened to.")
	ctx, cancel := context.WithCancel(t.Context())
	heard, ended := make(chan string), make(chan error, 1)
	go func() { ended <- l.follow(ctx, func(b []byte) error { heard <- string(b); return nil }) }()
	first := ""
	for first == "" { // it listens from some moment on
		l.append(t, "..")
		select {
		case first = <-heard:
		case <-time.After(time.Millisecond):
		}
	}
	if strings.Trim(first, ".") != "" {
		t.Errorf("first it hears %q", first)
	}
	l.append(t, "ab")
	rest := ""
	for !strings.HasSuffix(rest, "ab") {
		rest += <-heard
	}
	if err := os.Truncate(l.path, 0); err != nil {
		t.Fatal(err)
	}
	l.append(t, "cde") // half a sample waits for its other half
	if got := <-heard; got != "cd" {
		t.Errorf("after it was emptied: %q", got)
	}
	l.append(t, "f")
	if got := <-heard; got != "ef" {
		t.Errorf("then: %q", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
