package ble

// The layout of the service. Phones keep it for days, so it never changes within version
// 1: neither a UUID, nor a handle, nor a flag. docs/protocol.md 14.1.
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
	Status                       // how the peer's conversation is
)

// layout is what the table of attributes is made of. Behind a characteristic's value is a
// descriptor if it notifies, which BlueZ adds.
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

// State is the first byte of the characteristic status: how it stands for the peer who
// reads it. docs/protocol.md 14.5.
type State byte

// The states.
const (
	Free   State = iota // nobody has a conversation; a first frame begins one
	Busy                // somebody else has one
	Open                // the peer's own is under way
	Done                // the peer's own came to its end, and the camera is content
	Failed              // the peer's own ended before that
)

// Why is the second byte of the characteristic status: why the transport ended a
// conversation that Failed.
type Why byte

// The reasons.
const (
	WhyNone  Why = iota // it did not: the camera did, or there was none
	WhySlow             // nothing came from the peer for ten seconds
	WhyFrame            // a frame was malformed or out of order
)

// ATTError is an error code of the attribute protocol, with which an operation is refused.
type ATTError byte

// The codes. From 0x80 on they are the service's own. docs/protocol.md 14.6.
const (
	ReadNotPermitted  ATTError = 0x02
	WriteNotPermitted ATTError = 0x03
	InvalidOffset     ATTError = 0x07
	OtherPeer         ATTError = 0x80 // somebody else has the conversation
	BadFrame          ATTError = 0x81
	NoConversation    ATTError = 0x82 // it has ended, or none has begun
)

// Error names the code for the log; the peer has the code itself.
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
