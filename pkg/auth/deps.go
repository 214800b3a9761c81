package auth

import (
	"context"

	"github.com/camd-project/camd/pkg/proto"
)

// Deps is what the daemon makes after Open, since it needs what Open returned.
type Deps struct {
	Sender      Sender         // to the members
	Capture     CaptureDevices // for privacy mode; nil: there are none
	Provisioner Provisioner    // nil: the device can't be set up
	Pusher      Pusher         // nil: nothing is pushed
}

// Sender takes sealed messages to clients. Neither method blocks.
type Sender interface {
	Send(to proto.ClientID, msg []byte) error
	// Notify is Send for what must not be lost: it goes before all else. If it returns
	// nil done is called once, when the message is with the broker or that can't be known.
	Notify(to proto.ClientID, msg []byte, done func(error)) error
}

// CaptureDevices are the camera and the microphone. SetPrivacy(true) returns when both are
// closed; they stay closed until SetPrivacy(false).
type CaptureDevices interface{ SetPrivacy(on bool) }

// noCapture stands for capture devices before NewGate.
type noCapture struct{}

func (noCapture) SetPrivacy(bool) {}

// Provisioner sets how the device reaches its broker. Whether a client may do that is decided
// before it is called. docs/protocol.md 3.11.
type Provisioner interface {
	// Ask answers a question and changes nothing. An error is a *proto.SetupProblem.
	Ask(ctx context.Context, ask proto.SetupAsk) (proto.SetupReply, error)
	// Apply tries settings. If they work, it keeps them durably, together with what enroll does
	// for client: both or neither, also after a power cut. Else the settings of before are in
	// force again, and the error is a *proto.SetupProblem or that of enroll.
	Apply(ctx context.Context, client proto.ClientID, s proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error
	// Settled is called when the client knows what was kept: from now on the device may start
	// again with it.
	Settled()
}

// fixed is the Provisioner of a device that can't be set up.
type fixed struct{}

func (fixed) Ask(context.Context, proto.SetupAsk) (proto.SetupReply, error) {
	return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeFixed}
}

func (fixed) Apply(context.Context, proto.ClientID, proto.SetupSettings, func(proto.SetupStep), func() error) error {
	return &proto.SetupProblem{Code: proto.CodeFixed}
}

func (fixed) Settled() {}
