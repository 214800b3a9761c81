package event

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// failOnce returns a check that fails the first time.
func failOnce(err error, then func(context.Context, string) error) func(context.Context, string) error {
	failed := false
	return func(ctx context.Context, path string) error {
		if !failed {
			failed = true
			return err
		}
		return then(ctx, path)
	}
}

func TestSnapshotIsItsMembersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(3*proto.PicturePage + 5)}
		e := newDisk(t).open(t, h)
		end := run(t, e)
		defer end()
		p, err := e.Snapshot(t.Context(), "anna", "s1")
		if err != nil || p.Kind != proto.PictureJPEG || p.Size != 3*proto.PicturePage+5 {
			t.Fatal(p, err)
		}
		want, _ := ofSize(p.Size)(t.Context(), 0)
		if got, err := fetched(e, "anna", proto.EventsRequest{Snapshot: "s1"}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		for name, f := range map[string]func() error{
			"another member's": func() error { _, err := fetched(e, "ben", proto.EventsRequest{Snapshot: "s1"}); return err },
			"another session":  func() error { _, err := fetched(e, "anna", proto.EventsRequest{Snapshot: "s2"}); return err },
		} {
			if err := f(); refused(err) != proto.CodeNoEvent {
				t.Errorf("%s: %v", name, err)
			}
		}
		if h.count("told") != 0 || h.count("chime") != 0 {
			t.Errorf("a picture on request is no ring: %+v", h.steps())
		}
		time.Sleep(waitingTime)
		if _, err := fetched(e, "anna", proto.EventsRequest{Snapshot: "s1"}); refused(err) != proto.CodeNoEvent {
			t.Errorf("after a minute: %v", err)
		}
	})
}

func TestWaitingPicturesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(proto.MaxPicture)}
		e := newDisk(t).open(t, h)
		defer run(t, e)()
		for i := range proto.MaxMembers {
			for _, s := range []string{"a", "b"} { // the second takes the place of the first
				if _, err := e.Snapshot(t.Context(), proto.ClientID(fmt.Sprint(i)), s); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Millisecond)
		}
		if n := e.waiting.bytes(); n > waitingBytes || n < waitingBytes-proto.MaxPicture || int(h.lit.Load()) != len(e.waiting.of) {
			t.Errorf("%d bytes wait, the light is on for %d of %d", n, h.lit.Load(), len(e.waiting.of))
		}
		if _, err := fetched(e, proto.ClientID(fmt.Sprint(proto.MaxMembers-1)), proto.EventsRequest{Snapshot: "b"}); err != nil {
			t.Errorf("the newest: %v", err)
		}
		e.Forget()
		if n := e.waiting.bytes(); n != 0 || h.lit.Load() != 0 {
			t.Errorf("%d bytes wait in privacy mode, the light is on for %d", n, h.lit.Load())
		}
		if _, err := e.Snapshot(t.Context(), "anna", "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(waitingTime + sweepEvery) // nobody asks
		synctest.Wait()
		if n := len(e.waiting.of); n != 0 || h.lit.Load() != 0 {
			t.Errorf("%d wait for ever, the light is on for %d", n, h.lit.Load())
		}
	})
}

func TestSnapshotThatFails(t *testing.T) {
	h := &house{}
	e := reopened(t, newDisk(t))
	e.deps.Camera, e.deps.Indicator = h, h
	for want, err := range map[proto.Code]error{proto.CodePrivacy: proto.Refuse(proto.CodePrivacy), "": errors.New("boom")} {
		h.shows = func(context.Context, int) ([]byte, error) { return nil, err }
		if _, got := e.Snapshot(t.Context(), "anna", "s"); refused(got) != want || got == nil {
			t.Errorf("Snapshot() = %v, want %v", got, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	h.shows = func(context.Context, int) ([]byte, error) {
		cancel(proto.Refuse(proto.CodeRevoked)) // when the picture is there already
		return []byte("picture"), nil
	}
	if _, err := e.Snapshot(ctx, "anna", "s"); refused(err) != proto.CodeRevoked {
		t.Errorf("without a right: %v", err)
	}
	shown := h.shown
	h.dark = errors.New("no LED")
	if _, err := e.Snapshot(t.Context(), "anna", "s"); refused(err) != proto.CodeNoLight || h.shown != shown {
		t.Errorf("without the light: %v, %d pictures", err, h.shown-shown)
	}
	if len(e.waiting.of) != 0 || h.lit.Load() != 0 {
		t.Errorf("%d wait to be fetched, the light is on for %d", len(e.waiting.of), h.lit.Load())
	}
}

// The light shines before the picture is taken and as long as it can be fetched; a ring's
// is nobody's.
func TestLightOfASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(9)}
		e := newDisk(t).open(t, h)
		end := run(t, e)
		ringOnce(t, e)
		synctest.Wait()
		if h.count("picture") != 1 || h.count("light") != 0 {
			t.Errorf("a ring: %+v", h.steps())
		}
		h.mu.Lock()
		h.did = nil
		h.mu.Unlock()
		if _, err := e.Snapshot(t.Context(), "anna", "s"); err != nil || h.steps()[0].what != "light" || h.lit.Load() != 1 {
			t.Errorf("%+v, %v", h.steps(), err)
		}
		end()
		if h.lit.Load() != 0 {
			t.Error("the light is on after the end")
		}
	})
}

func TestRequestsForEvents(t *testing.T) {
	e := reopened(t, rung(t, maxEvents, 5000))
	for body, want := range map[string]proto.Code{
		`{}`: proto.CodeOK, `{"from":7}`: proto.CodeOK, `{"event":1}`: proto.CodeOK, `{"event":1,"offset":4999}`: proto.CodeOK,
		`{"event":99}`: proto.CodeNoEvent, `{"snapshot":"s"}`: proto.CodeNoEvent,
		`{"event":1,"offset":5000}`: proto.CodeBadRequest, `{"event":1,"offset":-1}`: proto.CodeBadRequest, `{"offset":1}`: proto.CodeBadRequest,
		`{"event":1,"snapshot":"s"}`: proto.CodeBadRequest, `{"event":1,"from":1}`: proto.CodeBadRequest, `{"from":1,"offset":1}`: proto.CodeBadRequest,
		`{"event":1,"offset":9223372036854775807}`: proto.CodeBadRequest,
	} {
		var q proto.EventsRequest
		if err := json.Unmarshal([]byte(body), &q); err != nil {
			t.Fatal(err)
		}
		_, err := e.Answer("anna", q)
		if got := refused(err); got != want && (want != proto.CodeOK || err != nil) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	if l := listed(t, e); len(l) != maxEvents {
		t.Errorf("%d listed on two pages", len(l))
	}
}

// A picture that was taken with the scope snapshot is fetched with it, all else needs events.
func TestScopesOfRequestsForEvents(t *testing.T) {
	for want, l := range map[proto.Scope][]proto.EventsRequest{
		proto.ScopeSnapshot: {{Snapshot: "s"}, {Snapshot: "s", Offset: 9}},
		proto.ScopeEvents:   {{}, {From: 3}, {Event: 1}, {Event: 1, Offset: 9}},
	} {
		for _, q := range l {
			if got := q.Scopes(); len(got) != 1 || got[0] != want {
				t.Errorf("%+v needs %v, want %s", q, got, want)
			}
		}
	}
}

// answerRoom is what is left for an answer's body beside checkpoint and proofs, in bytes.
const answerRoom = 6 << 10

// Whatever is asked for, the answer fits an envelope and gives no picture away that was
// not asked for.
func FuzzEventsRequest(f *testing.F) {
	for _, s := range []string{`{}`, `{"from":3}`, `{"event":2,"offset":4096}`, `{"snapshot":"s1","offset":1}`, `{"event":18446744073709551615}`, `{"offset":-1}`} {
		f.Add([]byte(s))
	}
	d := &disk{Config{Path: f.TempDir() + "/events.db", Epoch: 1}}
	d.Key = d.Path + ".key"
	k, err := openKeeper(f.Context(), d.Config, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = k.close() })
	for id := uint64(1); id <= maxEvents; id++ {
		data, _ := ofSize(9000)(f.Context(), int(id)) //nolint:gosec // small
		ev := proto.Event{ID: 1<<53 - maxEvents + id, Kind: proto.EventRing, Time: 1 << 42, Picture: proto.PictureJPEG, Size: 9000}
		if err := k.keep(ev, data); err != nil {
			f.Fatal(err)
		}
	}
	e := &Events{keeper: k, waiting: waiting{of: map[proto.ClientID]taken{}}}
	e.waiting.add("anna", taken{"s1", time.Now().Add(time.Hour), picture{proto.PictureMP4, make([]byte, 9000)}, func() {}})
	f.Fuzz(func(t *testing.T, body []byte) {
		var q proto.EventsRequest
		if json.Unmarshal(body, &q) != nil {
			return
		}
		for _, client := range []proto.ClientID{"anna", "ben"} {
			a, err := e.Answer(client, q)
			if err != nil && refused(err) == "" {
				t.Fatal(err)
			}
			text, err := json.Marshal(a)
			if err != nil || len(text) > answerRoom {
				t.Errorf("the answer to %s has %d bytes, %v", body, len(text), err)
			}
			if q.Snapshot != "" && client == "ben" && a.Part != nil {
				t.Errorf("%s gives another's picture away", body)
			}
			if p := a.Part; p != nil && (len(p.Data) == 0 || p.Offset != q.Offset || p.Offset+len(p.Data) > p.Size) {
				t.Errorf("%s: %d bytes at %d of %d", body, len(p.Data), p.Offset, p.Size)
			}
		}
	})
}
