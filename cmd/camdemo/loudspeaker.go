package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	loudspeakerPoll = 20 * time.Millisecond
	loudspeakerRoom = 8 << 20 // bytes of the file, after which it is emptied
	loudspeakerLook = 5 * time.Second
	loudspeakerRead = 16 << 10
)

// loudspeaker is the file that camd writes instead of playing: what it grows by is what
// the room would hear now.
type loudspeaker struct {
	path string // empty: camd has a real speaker
}

// bound empties the file when it has grown large, until ctx ends. camd appends, wherever
// the end is; a page that listens then misses a moment at most.
func (l loudspeaker) bound(ctx context.Context) {
	for tick := time.NewTicker(loudspeakerLook); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if info, err := os.Stat(l.path); err == nil && info.Size() > loudspeakerRoom {
			_ = os.Truncate(l.path, 0) // tried again soon
		}
	}
}

// follow hands to write all that is played from now on, until write fails or ctx ends.
func (l loudspeaker) follow(ctx context.Context, write func([]byte) error) error {
	f, err := os.OpenFile(l.path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the loudspeaker's file can't be opened: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	poll := time.NewTicker(loudspeakerPoll)
	defer poll.Stop()
	at, buf := int64(-1), make([]byte, loudspeakerRead)
	for ctx.Err() == nil {
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("the loudspeaker's file can't be read: %w", err)
		}
		switch end := info.Size() &^ 1; { // whole samples
		case at < 0:
			at = end
		case end < at: // it was emptied
			at = 0
		}
		n, err := f.ReadAt(buf[:min(int64(len(buf)), max(0, info.Size()&^1-at))], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("the loudspeaker's file can't be read: %w", err)
		}
		if n > 0 {
			at += int64(n)
			if err := write(buf[:n]); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
	return nil
}

// loudspeaker streams what the room would hear: 16-bit little-endian samples at 48 kHz.
func (s *server) loudspeaker(w http.ResponseWriter, r *http.Request) {
	if s.speaker.path == "" {
		refuse(w, http.StatusNotFound, "The camera plays on a loudspeaker of its own.")
		return
	}
	select {
	case s.listen <- struct{}{}:
		defer func() { <-s.listen }()
	default:
		refuse(w, http.StatusTooManyRequests, "Too many pages listen. Close one.")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	out := http.NewResponseController(w)
	_ = out.Flush() // the page learns that it listens
	err := s.speaker.follow(r.Context(), func(samples []byte) error {
		if _, err := w.Write(samples); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil && r.Context().Err() == nil {
		s.demo.env.Note("%v.", err)
	}
}
