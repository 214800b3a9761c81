package proto

// TalkRequest is the body of OpTalk. The request's sid names the talk and is new; Live
// is the sid of the caller's live session through which the voice comes. The answer
// comes when whoever is in the room has heard who speaks, and the camera listens; until
// then nothing is heard. docs/protocol.md 8.1.
type TalkRequest struct {
	Live string `json:"live"`
}

// Valid reports whether it names a live session.
func (q TalkRequest) Valid() bool { return q.Live != "" }

// Why a talk ended, besides the End constants, for the log and for people.
// docs/protocol.md 8.4.
const (
	EndIdle    = "nobody spoke"        // 60 s without a voice
	EndPressed = "ended at the camera" // by a button
	EndSpeaker = "speaker failed"
	EndSession = "session ended" // the live session that carried the voice
)
