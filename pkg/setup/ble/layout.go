package ble

// The layout of the service. Phones cache it for days, so no UUID, handle or flag ever changes
// within version 1. docs/protocol.md 14.1.
const (
	ServiceUUID   = "995c0000-ab38-4df1-b73f-0bafa5ab99b9"
	version       = 1
	serviceHandle = 0x0c00 // far above what BlueZ has itself

	flagRead   = "read"
	flagWrite  = "write" // with response
	flagNotify = "notify"
)

// Characteristic names one of the service's characteristics.
type Characteristic int

// The characteristics, in the order of their handles.
const (
	Info   Characteristic = iota // what camera this is
	RX                           // frames from the peer
	TX                           // frames for the peer
	Status                       // the state of the peer's conversation
)

// layout describes the table of attributes. After the value of a characteristic that notifies
// comes a descriptor, which BlueZ adds.
var layout = []struct {
	name   string // last element of its object path
	uuid   string
	handle uint16 // of the value; its declaration is the one before
	flags  []string
}{
	Info:   {"info", "995c0001-ab38-4df1-b73f-0bafa5ab99b9", 0x0c02, []string{flagRead}},
	RX:     {"rx", "995c0002-ab38-4df1-b73f-0bafa5ab99b9", 0x0c04, []string{flagWrite}},
	TX:     {"tx", "995c0003-ab38-4df1-b73f-0bafa5ab99b9", 0x0c06, []string{flagRead, flagNotify}},
	Status: {"status", "995c0004-ab38-4df1-b73f-0bafa5ab99b9", 0x0c09, []string{flagRead, flagNotify}},
}

// UUID returns the characteristic's UUID.
func (c Characteristic) UUID() string { return layout[c].uuid }

// State is the first byte of the characteristic status, for the peer that reads it.
// docs/protocol.md 14.5.
type State byte

// The states.
const (
	Free   State = iota // nobody has a conversation; a first frame begins one
	Busy                // another peer has a conversation
	Open                // the peer has a conversation
	Done                // the peer's conversation has ended with success
	Failed              // the peer's conversation has ended without success
)

// Why is the second byte of the characteristic status: why the transport ended a Failed
// conversation.
type Why byte

// The reasons.
const (
	WhyNone  Why = iota // the transport did not end it, or there was none
	WhySlow             // nothing came from the peer for ten seconds
	WhyFrame            // a frame was malformed or out of order
)

// ATTError is an error code of the attribute protocol.
type ATTError byte

// The codes. From 0x80 on they are the service's own. docs/protocol.md 14.6.
const (
	ReadNotPermitted  ATTError = 0x02
	WriteNotPermitted ATTError = 0x03
	InvalidOffset     ATTError = 0x07
	OtherPeer         ATTError = 0x80 // another peer has the conversation
	BadFrame          ATTError = 0x81
	NoConversation    ATTError = 0x82 // it has ended, or none has begun
)

// Error returns the name of the code, for the log.
func (e ATTError) Error() string {
	switch e {
	case ReadNotPermitted, WriteNotPermitted:
		return "the characteristic does not allow that"
	case InvalidOffset:
		return "the value is shorter than that"
	case OtherPeer:
		return "somebody else is setting the camera up"
	case BadFrame:
		return "the frame is malformed or out of order"
	case NoConversation:
		return "there is no conversation"
	}
	return "refused"
}
