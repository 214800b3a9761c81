package proto

import "slices"

// Stream is one of the camera's streams of pictures, or StreamAuto. docs/protocol.md 7.7.
type Stream string

// The streams.
const (
	StreamAuto Stream = "auto" // whichever the viewer's path carries; so is an empty one
	StreamHigh Stream = "high"
	StreamLow  Stream = "low" // the same pictures, smaller and with fewer bits
)

// Valid reports whether it is one that a viewer can ask for.
func (s Stream) Valid() bool {
	return slices.Contains([]Stream{"", StreamAuto, StreamHigh, StreamLow}, s)
}

// StreamRequest is the body of OpStream. docs/protocol.md 7.7.
type StreamRequest struct {
	Stream Stream `json:"stream"`
}

// Valid reports whether it asks for a stream that may be.
func (q StreamRequest) Valid() bool { return q.Stream.Valid() }

// StreamState is the body of the answer to OpStream and of SignalStream: which stream a
// viewer is sent, and why. docs/protocol.md 7.7.
type StreamState struct {
	Stream Stream    `json:"stream"` // high or low
	Why    StreamWhy `json:"why"`
	Skips  bool      `json:"skips,omitempty"` // the viewer's path carries only some of its pictures
}

// StreamWhy is why a viewer is sent a stream.
type StreamWhy string

// The reasons.
const (
	StreamAsked  StreamWhy = "asked"    // the viewer asked for it
	StreamByPath StreamWhy = "path"     // it is what the viewer's path carries
	StreamAlone  StreamWhy = "no_other" // the camera has no other one now
)

// Sentence says it to a person.
func (s StreamState) Sentence() string {
	switch {
	case s.Skips:
		return s.which() + ". The connection is too slow for all of its pictures, so the camera leaves some out."
	case s.Why == StreamByPath && s.Stream == StreamHigh:
		return s.which() + ", which the connection carries."
	}
	return s.which() + "."
}

func (s StreamState) which() string {
	switch {
	case s.Why == StreamAlone:
		return "The camera sends its only stream"
	case s.Why == StreamAsked && s.Stream == StreamLow:
		return "The camera sends the smaller stream, as was asked"
	case s.Why == StreamAsked:
		return "The camera sends the full stream, as was asked"
	case s.Stream == StreamLow:
		return "The camera sends the smaller stream, because the connection is too slow for the full one"
	}
	return "The camera sends the full stream"
}
