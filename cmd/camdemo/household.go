package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// pageHistory is how many entries a page shows that has just been opened.
const pageHistory = 30

// pageState is what the page asks for again and again.
type pageState struct {
	proto.StatusAnswer
	Privacy    bool     `json:"privacy"`
	MayTalk    bool     `json:"may_talk"`
	Verified   uint64   `json:"verified"`   // entries of the access log that are verified
	Alarm      string   `json:"alarm"`      // about the access log; empty: none
	Unanswered []string `json:"unanswered"` // members whose removal is not confirmed
}

func (p *page) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pageCall)
	defer cancel()
	camera := p.camera.Load()
	state := pageState{Unanswered: []string{}}
	answer, err := camera.Call(ctx, proto.OpStatus, "", nil)
	if err == nil {
		err = json.Unmarshal(answer.Body, &state.StatusAnswer)
	}
	var settings proto.Settings
	if err == nil {
		settings, err = camera.Settings(ctx)
	}
	if err == nil {
		state.MayTalk, err = camera.HasScope(ctx, proto.ScopeTalk)
	}
	if err != nil {
		refuse(w, http.StatusBadGateway, sayError(err))
		return
	}
	state.Privacy, state.Verified = settings.Privacy, camera.Verified()
	if a := camera.Alarm(); a != nil {
		state.Alarm = a.Sentence(camera.Record().Title())
	}
	for _, u := range camera.PendingRevokes() {
		state.Unanswered = append(state.Unanswered, u.Who())
	}
	reply(w, state)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser went away
}

// privacy is the page's switch.
func (p *page) privacy(w http.ResponseWriter, r *http.Request) {
	var want proto.Privacy
	if !read(w, r, &want) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), pageCall)
	defer cancel()
	camera := p.camera.Load()
	var now proto.Privacy
	if _, err := camera.Change(ctx, proto.OpPrivacy, want, func() (err error) { now, err = camera.Privacy(ctx, want.On); return err }); err != nil {
		refuse(w, http.StatusBadGateway, sayError(err))
		return
	}
	reply(w, now)
}

// eventLine is one line of the stream of household events.
type eventLine struct {
	Event   *client.LogLine `json:"event,omitempty"`
	Warning string          `json:"warning,omitempty"`
	Over    string          `json:"over,omitempty"` // the last line: why no more come
}

// events streams what happens in the household while the page is open, after what
// happened last.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	select {
	case p.listeners <- struct{}{}:
		defer func() { <-p.listeners }()
	default:
		refuse(w, http.StatusServiceUnavailable, "Too many pages are open. Close one.")
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	send := func(l eventLine) error { return errors.Join(out.Encode(l), flush()) }
	f := &client.Follower{Camera: p.camera.Load(), Recent: pageHistory, Always: true,
		Entry: func(l client.LogLine) error { return send(eventLine{Event: &l}) },
		Warn:  func(sentence string) error { return send(eventLine{Warning: sentence}) }}
	defer f.Close()
	err := f.CatchUp(r.Context())
	if err == nil {
		err = f.Follow(r.Context())
	}
	if err != nil && r.Context().Err() == nil {
		_ = send(eventLine{Over: sayError(err)}) // the browser went away
	}
}
