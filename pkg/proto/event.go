package proto

// What a picture is. docs/protocol.md 9.1.
const (
	PictureJPEG = "image/jpeg"
	PictureMP4  = "video/mp4" // one H.264 picture as fragmented MP4, of a camera that encodes itself
)

// Bounds of pictures, in bytes. PicturePage is the most of one that an answer carries,
// so that it fits an envelope with checkpoint and proofs.
const (
	MaxPicture  = 512 << 10
	PicturePage = 4 << 10
)

// Picture is the body of the answer to OpSnapshot: what was taken and waits to be
// fetched with OpEvents. docs/protocol.md 9.2.
type Picture struct {
	Kind string `json:"kind"` // PictureJPEG, PictureMP4
	Size int    `json:"size"` // bytes
}

// EventsRequest is the body of OpEvents. It asks for a list of the kept events, or for
// a part of one picture. docs/protocol.md 9.4.
type EventsRequest struct {
	From     uint64 `json:"from,omitempty"`     // of the list: events from this one on
	Event    uint64 `json:"event,omitempty"`    // whose picture is asked for
	Snapshot string `json:"snapshot,omitempty"` // sid of the caller's own OpSnapshot whose picture is asked for
	Offset   int    `json:"offset,omitempty"`   // of the picture's part, in bytes
}

// Valid reports whether it asks for one thing.
func (q EventsRequest) Valid() bool {
	parts := q.Event != 0 || q.Snapshot != ""
	return q.Offset >= 0 && (q.Event == 0 || q.Snapshot == "") && !(parts && q.From != 0) && (parts || q.Offset == 0)
}

// Scopes returns what it needs: a picture that was taken with the scope snapshot is fetched
// with it.
func (q EventsRequest) Scopes() []Scope {
	if q.Snapshot != "" {
		return []Scope{ScopeSnapshot}
	}
	return []Scope{ScopeEvents}
}

// EventsAnswer is the body of the answer to OpEvents: a page of the list, or a part of
// a picture. Next is where the next page of the list begins; 0: this was the last.
// docs/protocol.md 9.4.
type EventsAnswer struct {
	Events []Event      `json:"events,omitempty"`
	Next   uint64       `json:"next,omitempty"`
	Part   *PicturePart `json:"part,omitempty"`
}

// PicturePart is at most PicturePage bytes of a picture. docs/protocol.md 9.4.
type PicturePart struct {
	Picture
	Offset int    `json:"offset"`
	Data   []byte `json:"data"` // standard base64, with padding
}

// EventRing is the kind of an Event: someone pressed the bell.
const EventRing = "ring"

// Event is what the camera keeps of something that happened. Picture is empty while
// there is none: it is not there yet, the camera was closed, or later ones took its room.
// docs/protocol.md 9.4.
type Event struct {
	ID      uint64 `json:"n"`    // number of its entry in the access log
	Kind    string `json:"kind"` // EventRing
	Time    int64  `json:"t"`    // Unix milliseconds by the device's clock
	Picture string `json:"picture,omitempty"`
	Size    int    `json:"size,omitempty"` // of the picture in bytes
}
