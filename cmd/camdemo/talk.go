package main

import (
	"encoding/json"
	"net/http"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// talkStep is one line of the stream that answers a page's wish to talk.
type talkStep struct {
	Live  bool   `json:"live,omitempty"`  // the room has heard who speaks: the page may send
	Error string `json:"error,omitempty"` // the last line: a sentence
}

// talk asks to talk through the live session of a page. The request lives as long as
// the talk: when the page ends it or goes away, the camera is told bye.
func (p *page) talk(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Session string `json:"session"`
	}
	if !read(w, r, &body) {
		return
	}
	t, err := p.camera.Load().AskToTalk(r.Context(), body.Session)
	if err != nil {
		refuse(w, http.StatusBadGateway, sayError(err))
		return
	}
	defer t.Close() //nolint:contextcheck // its bye outlives the request
	w.Header().Set("Content-Type", "application/x-ndjson")
	out, flush := json.NewEncoder(w), http.NewResponseController(w).Flush
	_, _ = out.Encode(talkStep{Live: true}), flush() // if the browser went away, the request's context ends
	select {
	case <-r.Context().Done():
	case <-t.Done():
		sentence := client.TalkEndSentence(proto.EndBye)
		if err := t.Err(); err != nil {
			sentence = sayError(err)
		}
		_ = out.Encode(talkStep{Error: sentence})
	}
}
