package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// line is one line of the stream that answers a page's session request.
type line struct {
	Session    string            `json:"session,omitempty"`
	Answer     *proto.LiveAnswer `json:"answer,omitempty"`
	Candidates []proto.Candidate `json:"candidates,omitempty"`
	Error      string            `json:"error,omitempty"` // the last line: a sentence
}

// session carries one live session of a page. The request lives as long as the
// session: when the page goes away, the camera is told bye.
func (p *page) session(w http.ResponseWriter, r *http.Request) {
	var offer proto.LiveRequest
	if !read(w, r, &offer) {
		return
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		refuse(w, http.StatusServiceUnavailable, "Too many pages are open. Close one.")
		return
	}
	s := &pageSession{page: p, camera: p.camera.Load(), id: rand.Text(), out: json.NewEncoder(w), flush: http.NewResponseController(w).Flush}
	w.Header().Set("Content-Type", "application/x-ndjson")
	if sentence := s.run(r.Context(), offer); sentence != "" {
		s.send(line{Error: sentence})
	}
}

type pageSession struct {
	page   *page
	camera *client.Camera
	id     string
	out    *json.Encoder
	flush  func() error
}

// send ignores that the browser went away: the request's context then ends.
func (s *pageSession) send(l line) {
	_ = s.out.Encode(l)
	_ = s.flush()
}

// run returns the sentence for the page at its end.
func (s *pageSession) run(ctx context.Context, offer proto.LiveRequest) string {
	signals, cancel, err := s.camera.Signals(ctx, s.id)
	if err != nil {
		return sayError(err)
	}
	defer cancel()
	asked, stop := context.WithTimeout(ctx, pageCall)
	defer stop()
	answer, err := s.camera.Call(asked, proto.OpLive, s.id, offer)
	if err != nil {
		if ctx.Err() != nil { // the page is gone, and its session may have begun
			s.bye(ctx)
		}
		return sayError(err)
	}
	var live proto.LiveAnswer
	if err := json.Unmarshal(answer.Body, &live); err != nil {
		return "The camera's answer can't be read."
	}
	s.send(line{Session: s.id, Answer: &live})
	return s.follow(ctx, signals)
}

func (s *pageSession) follow(ctx context.Context, signals <-chan client.Signal) string {
	for {
		select {
		case <-ctx.Done():
			s.bye(ctx)
			return "The demo is ending."
		case m, ok := <-signals:
			if !ok {
				return "The demo is ending."
			}
			if end := s.take(m); end != "" {
				return end
			}
		}
	}
}

// take passes one signal on, and returns the sentence for the page if it was the last.
func (s *pageSession) take(m client.Signal) (end string) {
	switch m.Kind {
	case proto.SignalCandidate:
		var c proto.Candidates
		if json.Unmarshal(m.Body, &c) == nil && len(c.Candidates) > 0 {
			s.send(line{Candidates: c.Candidates})
		}
	case proto.SignalEnd:
		var e proto.End
		_ = json.Unmarshal(m.Body, &e) // without a reason it is the end all the same
		return client.EndSentence(e.Reason)
	}
	return ""
}

// bye outlives ctx, whose end is its reason.
func (s *pageSession) bye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageClose)
	defer cancel()
	if _, err := s.camera.Call(ctx, proto.OpBye, s.id, nil); err != nil {
		s.page.env.log.Info("bye was not heard", "error", err)
	}
}
