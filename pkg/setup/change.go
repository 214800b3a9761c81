package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// Times of a change of the Wi-Fi. docs/protocol.md 15.3.
const (
	leaveTime  = 2 * time.Second // before the network is left: for the answer and the notices
	changeTime = time.Minute     // in which the broker must be reached through the new network
	returnTime = time.Minute     // in which the broker is tried without pauses through the previous one
	lookTime   = 20 * time.Second
)

// Link is the connection to the broker.
type Link interface {
	// Reconnect makes a new session over the present network, and returns when it serves.
	// Errors that a person can fix are *proto.SetupProblem.
	Reconnect(ctx context.Context) error
}

// Journal logs one change.
type Journal interface {
	// Begun makes the entry durable, notifies all members, and returns its number.
	Begun() (entry uint64, err error)
}

// change is a requested change of Wi-Fi.
type change struct {
	wifi proto.WiFi
	as   proto.WiFiChange
}

// Reach sets the connection to the broker. It must be called once, before Run.
func (s *Setup) Reach(l Link) { s.link = l }

// WiFi returns the network that the device uses, the result of the last change and, if look
// is set, the networks in reach. If the Wi-Fi can't be changed, the error is a
// *proto.SetupProblem.
func (s *Setup) WiFi(ctx context.Context, look bool) (now proto.WiFiStatus, err error) {
	if err := s.changeable(); err != nil {
		return now, err
	}
	s.mu.Lock()
	now.Last = s.last
	if s.tried != nil {
		now.Trying = s.tried.SSID
	}
	s.mu.Unlock()
	if s.busy.Load() { // the radio is in use
		if look {
			err = proto.Refuse(proto.CodeBusy)
		}
		return now, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if look {
		if now.Networks, err = s.deps.Radio.Networks(ctx); err != nil {
			return now, err
		}
	}
	now.Current, err = s.deps.InNetwork(ctx)
	return now, err
}

// changeable returns a *proto.SetupProblem if the household can't change the Wi-Fi.
func (s *Setup) changeable() error {
	switch {
	case s.deps.Radio == nil || !s.deps.HasWiFi():
		return &proto.SetupProblem{Code: proto.CodeNoWiFi}
	case s.Settings().WiFi == nil:
		return &proto.SetupProblem{Code: proto.CodeNoWiFi, Detail: "The camera uses no Wi-Fi that an owner has set up, so it can't be changed remotely. Pair at the camera with camctl pair --wifi, or change it where it was set up."}
	}
	return nil
}

// Change begins to try another Wi-Fi network. If the device does not reach its broker there,
// it goes back. Change returns when the change is logged and stored, before anything is
// tried. The error is a *proto.SetupProblem, a *proto.Refusal, or journal's.
func (s *Setup) Change(w proto.WiFi, journal Journal) error {
	if err := (proto.SetupSettings{WiFi: &w}).Check(); err != nil {
		return err
	}
	if err := s.changeable(); err != nil {
		return err
	}
	if !s.busy.CompareAndSwap(false, true) {
		return proto.Refuse(proto.CodeBusy)
	}
	c := change{w, proto.WiFiChange{SSID: w.SSID, At: time.Now().Unix()}}
	var err error
	if c.as.Entry, err = journal.Begun(); err != nil {
		s.busy.Store(false)
		return err
	}
	if err := s.keep.pend(pending{Change: &c.as}); err != nil {
		s.log.Error("a change of the Wi-Fi can't be written down", "error", err)
		s.deps.NotTaken(c.as.Entry)
		s.busy.Store(false)
		return proto.Refuse(proto.CodeStorage)
	}
	s.mu.Lock()
	s.tried = &c.as
	s.mu.Unlock()
	s.changes <- c // has room: busy allows only one
	return nil
}

// change tries a network, and keeps it or goes back. If camd ends meanwhile, its next start
// goes back.
func (s *Setup) change(ctx context.Context, c change) {
	defer s.busy.Store(false)
	select {
	case <-ctx.Done():
		return
	case <-time.After(leaveTime):
	}
	s.log.Info("another Wi-Fi network is tried")
	joined, err := s.prove(ctx, c.wifi)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = s.end(c.as, &joined, nil)
	}
	if err == nil {
		s.log.Info("the Wi-Fi was changed")
		s.putInForce(ctx, &joined)
		return
	}
	s.log.Warn("the Wi-Fi was not changed", "reason", err)
	if err := s.end(c.as, nil, err); err != nil {
		s.log.Error("what became of the change of the Wi-Fi can't be kept", "error", err)
	}
	s.putInForce(ctx, s.Settings().WiFi)
	s.deps.NotTaken(c.as.Entry)
	ctx, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	if err := s.link.Reconnect(ctx); err != nil {
		s.log.Warn("the way back to the broker", "error", err) // the link goes on, with pauses
	}
}

// prove joins a network and reaches the broker from there, all within changeTime.
func (s *Setup) prove(ctx context.Context, w proto.WiFi) (joined proto.WiFi, err error) {
	within, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	step := proto.StepWiFi
	joined, err = s.deps.Radio.Join(within, w, func(now proto.SetupStep) { step = now })
	if err == nil {
		step = proto.StepBroker
		err = s.link.Reconnect(within)
	}
	if err == nil { // but perhaps through the previous network, if the radio's software restarted
		var in *proto.Network
		if in, err = s.deps.InNetwork(within); err == nil && (in == nil || in.SSID != w.SSID) {
			err = late[proto.StepWiFi]
		}
	}
	var known *proto.SetupProblem
	if err != nil && !errors.As(err, &known) && within.Err() != nil {
		err = late[step]
	}
	return joined, err
}

// late is the error of a step that takes too long.
var late = map[proto.SetupStep]error{
	proto.StepWiFi:    &proto.SetupProblem{Code: proto.CodeWiFiRefused},
	proto.StepAddress: &proto.SetupProblem{Code: proto.CodeWiFiNoAddress},
	proto.StepBroker:  &proto.SetupProblem{Code: proto.CodeBrokerUnreachable},
}

// end stores the result of a change: the joined network is in force, or the previous one
// because of why.
func (s *Setup) end(c proto.WiFiChange, joined *proto.WiFi, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.current
	var known *proto.SetupProblem
	switch {
	case joined != nil:
		next.WiFi, c.Code = joined, proto.CodeOK
	case errors.As(why, &known):
		c.Code, c.Reason = known.Code, known.Error()
	default:
		c.Code, c.Reason = proto.CodeInternal, proto.CodeInternal.Sentence()
	}
	err := s.keep.end(next, c)
	if err != nil && joined != nil {
		return s.unkept(err)
	}
	s.current, s.last, s.tried = next, &c, nil
	s.tell(c)
	return err
}

// putInForce makes the radio use a network. If that fails, the next start tries again.
func (s *Setup) putInForce(ctx context.Context, w *proto.WiFi) {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	if err := s.deps.Radio.Keep(ctx, w); err != nil {
		s.log.Warn("the Wi-Fi is not in force yet", "error", err)
	}
}

// tell sets a health condition that says that a change failed, until one succeeds. Every
// member can read it, so it names no network; owners can see more.
func (s *Setup) tell(c proto.WiFiChange) {
	if s.condition == nil && c.Code == proto.CodeOK {
		return
	}
	if s.condition == nil {
		s.condition = s.deps.Board.Condition("wifi_change")
	}
	text := ""
	if c.Code != proto.CodeOK {
		text = fmt.Sprintf("The last change of the Wi-Fi, on %s, did not work, and the camera went back to the previous network. %s Owners see more with camctl wifi.",
			time.Unix(c.At, 0).UTC().Format("2006-01-02 15:04 UTC"), c.Code.Sentence())
	}
	s.condition.Set(health.OK, text)
}
