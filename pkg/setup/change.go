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
	leaveTime  = 2 * time.Second // before the network is left: for the answer, and for what members are told
	changeTime = time.Minute     // in which the broker must be reached through the new network
	returnTime = time.Minute     // in which the way back to the broker is looked for without pauses
	lookTime   = 20 * time.Second
)

// Link is the connection to the broker.
type Link interface {
	// Reconnect makes another session, over whatever network there is now, and returns when it
	// serves. What a person can do something about is a *proto.SetupProblem.
	Reconnect(ctx context.Context) error
}

// Journal is the access log, for one change.
type Journal interface {
	// Begun returns the number of the entry, which is durable and of which everybody is told.
	Begun() (entry uint64, err error)
}

// change is one that was asked for.
type change struct {
	wifi proto.WiFi
	as   proto.WiFiChange
}

// Reach says by what the broker is reached. It is called once, before Run.
func (s *Setup) Reach(l Link) { s.link = l }

// WiFi tells in which network the device is, and what became of the last change; if look
// is set, what it hears, too. Where nothing can be changed the error is a
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
	if s.busy.Load() { // the radio is at something
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

// changeable reports as a *proto.SetupProblem why the Wi-Fi is not the household's to change.
func (s *Setup) changeable() error {
	switch {
	case s.deps.Radio == nil || !s.deps.HasWiFi():
		return &proto.SetupProblem{Code: proto.CodeNoWiFi}
	case s.Settings().WiFi == nil:
		return &proto.SetupProblem{Code: proto.CodeNoWiFi, Detail: "The camera uses no Wi-Fi that an owner has set up, so it can't be changed remotely. Pair at the camera with camctl pair --wifi, or change it where it was set up."}
	}
	return nil
}

// Change begins to try another Wi-Fi network, in which the device must reach its broker; if
// it does not, it goes back. It returns when that is logged and written down, before
// anything is tried. The error is a *proto.SetupProblem, a *proto.Refusal, or journal's.
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
	err := s.writeDown(&c, journal)
	if err != nil {
		s.busy.Store(false)
		return err
	}
	s.mu.Lock()
	s.tried = &c.as
	s.mu.Unlock()
	s.changes <- c // has room: busy lets one in
	return nil
}

func (s *Setup) writeDown(c *change, journal Journal) (err error) {
	if c.as.Entry, err = journal.Begun(); err != nil {
		return err
	}
	if err := s.keep.begin(c.as); err != nil {
		s.log.Error("a change of the Wi-Fi can't be written down", "error", err)
		s.deps.NotTaken(c.as.Entry)
		return proto.Refuse(proto.CodeStorage)
	}
	return nil
}

// change tries a network, and keeps it or goes back. If camd ends meanwhile the next start
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
	if err == nil { // and not through the one of before, as after a restart of what works the radio
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

// late is what it is when a step takes too long.
var late = map[proto.SetupStep]error{
	proto.StepWiFi:    &proto.SetupProblem{Code: proto.CodeWiFiRefused},
	proto.StepAddress: &proto.SetupProblem{Code: proto.CodeWiFiNoAddress},
	proto.StepBroker:  &proto.SetupProblem{Code: proto.CodeBrokerUnreachable},
}

// end keeps what became of a change: the network that was joined is in force, or the one of
// before for the reason of why.
func (s *Setup) end(c proto.WiFiChange, joined *proto.WiFi, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.current
	c.Code = proto.CodeOK
	if joined != nil {
		next.WiFi = joined
	} else {
		c.Code, c.Reason = reason(why)
	}
	err := s.keep.end(next, c)
	if err != nil && joined != nil {
		return s.unkept(err)
	}
	s.current, s.last, s.tried = next, &c, nil
	s.tell(c)
	return err
}

// reason is an error for people, as a code and a sentence.
func reason(err error) (proto.Code, string) {
	var known *proto.SetupProblem
	if errors.As(err, &known) {
		return known.Code, known.Error()
	}
	return proto.CodeInternal, proto.CodeInternal.Sentence()
}

// putInForce has the radio keep a network. Where it can't now, the next start has it.
func (s *Setup) putInForce(ctx context.Context, w *proto.WiFi) {
	ctx, cancel := context.WithTimeout(ctx, undoTime)
	defer cancel()
	if err := s.deps.Radio.Keep(ctx, w); err != nil {
		s.log.Warn("the Wi-Fi is not in force yet", "error", err)
	}
}

// tell says in the status that a change did not work, until one does. The status is for
// every member: whatever else there is to say of the network owners alone are told.
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

// interrupted is what became of a change during which camd ended.
func interrupted(c proto.WiFiChange) proto.WiFiChange {
	c.Code, c.Reason = proto.CodeInternal, "The camera restarted before it reached its broker in the new network, so it went back to the previous one. Try again."
	return c
}
