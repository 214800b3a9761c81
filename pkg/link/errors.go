package link

import "errors"

// Errors of Send.
var (
	ErrOffline = errors.New("no broker connection")
	ErrFull    = errors.New("too many messages wait to be sent")
	ErrMessage = errors.New("message too large or for no client")
)

// Faults of a connection; explain has the sentences.
var (
	errHandshake = errors.New("TLS handshake")
	errProxy     = errors.New("proxy")
	errSubscribe = errors.New("subscription refused")
	errSilent    = errors.New("no answer from the broker")
	errMute      = errors.New("the broker carries nothing")
	errRival     = errors.New("the session was taken over")
	errStopping  = errors.New("camd is stopping")
	errTaken     = errors.New("there is another certificate")
	errReconnect = errors.New("there is another network")
)

// Problem is why the broker can't be reached. Error returns a sentence for people,
// Unwrap the cause.
type Problem struct {
	Sentence string
	cause    error
}

func (p *Problem) Error() string { return p.Sentence }
func (p *Problem) Unwrap() error { return p.cause }
