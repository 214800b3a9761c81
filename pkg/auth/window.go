package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// maxFailures closes the window. docs/protocol.md 5.6.
const maxFailures = 5

// window is an open pairing window. It is in RAM only: after a restart it is closed.
type window struct {
	ctx      context.Context // ends when the window closes, for whatever reason
	cancel   context.CancelFunc
	name     string // of the member that pairs
	until    time.Time
	failures int
	wrong    map[string]bool    // codes that were shown and are failures
	seeking  context.Context    // ends when the lens stops looking for codes, for now or for good
	pause    context.CancelFunc // of seeking
}

// seek lets the lens look for codes.
func (w *window) seek() { w.seeking, w.pause = context.WithCancel(w.ctx) }

// WindowState is the state of the pairing window.
type WindowState struct {
	Open  bool
	Until time.Time
	Name  string
}

// OpenWindow opens the pairing window for d, for a member whose name will be name. A window
// that was open before is closed: its handshake ends, and its failures don't count any more.
func (a *Authority) OpenWindow(d time.Duration, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.window != nil {
		a.window.cancel()
	}
	a.window = &window{ctx: ctx, cancel: cancel, name: name, until: time.Now().Add(d)}
	a.window.seek()
	a.changed()
	context.AfterFunc(ctx, func() { // when it closes, for whatever reason
		a.mu.Lock()
		defer a.mu.Unlock()
		a.changed()
	})
	a.log.Info("pairing window opened", "seconds", int(d.Seconds()), "name", name)
	return nil
}

// CloseWindow closes the pairing window, and ends a handshake in it.
func (a *Authority) CloseWindow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.window != nil {
		a.window.cancel()
		a.window = nil
	}
}

// WindowState returns the state of the pairing window.
func (a *Authority) WindowState() WindowState {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.window == nil || a.window.ctx.Err() != nil {
		return WindowState{}
	}
	return WindowState{Open: true, Until: a.window.until, Name: a.window.name}
}

// Window returns a context that ends when the open pairing window closes. If none is open, it
// has ended.
func (a *Authority) Window() context.Context {
	if w, err := a.opened(); err == nil {
		return w.ctx
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// WindowChanged returns a channel that is closed when the pairing window next opens or
// closes. Get it before WindowState to miss no change; it may be closed for no change too.
func (a *Authority) WindowChanged() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turned == nil {
		a.turned = make(chan struct{})
	}
	return a.turned
}

// changed closes the channel of WindowChanged. a.mu is held.
func (a *Authority) changed() {
	if a.turned != nil {
		close(a.turned)
		a.turned = nil
	}
}

// Join takes one client through the pairing while the window is open. Errors:
// ErrWindowClosed, ErrPairingBusy, or what the pairing failed with.
func (a *Authority) Join(ctx context.Context, conn pairing.Conn) error {
	w, err := a.enter(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()
	c := &conversation{Authority: a, window: w}
	d := a.device()
	d.Secret, d.Setup, d.Begun = a.identity.Label().Secret, c, w.pause
	d.Enroll = func(_ context.Context, key envelope.PublicKey, card []byte) (pairing.Receipt, error) {
		return a.enroll(w, key, card, "")
	}
	r, err := pairing.Respond(ctx, conn, d)
	a.leave(w, err)
	if c.settled { // whether or not the client got the receipt
		a.provisioner.Settled()
	}
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	a.log.Info("paired", "client", string(r.Client), "name", r.Name, "role", string(r.Role))
	return nil
}

// device returns what the pairing needs to know of this device.
func (a *Authority) device() pairing.Device {
	return pairing.Device{
		ID: a.identity.DeviceID(), Identity: a.identity.Signer(), Chain: a.identity.Chain(),
		Trio: a.household.trio, Epoch: a.household.epoch, Household: a.household.sig, Owned: a.Owned(),
	}
}

// joinWait is how long a handshake waits for the one before: a client is paired a moment
// before camd has finished with it, and a client that says nothing is given up.
const joinWait = pairing.FirstPatience + 2*time.Second

// enter begins a handshake. There is one at a time, over all windows: two at once could both
// find the device without an owner.
func (a *Authority) enter(ctx context.Context) (*window, error) {
	if _, err := a.opened(); err != nil {
		return nil, err
	}
	select {
	case a.handshake <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(joinWait):
		return nil, ErrPairingBusy
	}
	w, err := a.opened()
	if err != nil { // it was closed meanwhile
		<-a.handshake
	}
	return w, err
}

func (a *Authority) opened() (*window, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.window == nil || a.window.ctx.Err() != nil {
		return nil, ErrWindowClosed
	}
	return a.window, nil
}

// leave ends a handshake, and counts its failure.
func (a *Authority) leave(w *window, err error) {
	defer func() { <-a.handshake }() // last, so that nobody looks for codes during the next one
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil || w.ctx.Err() != nil {
		return
	}
	a.fail(w)
	if w.seeking.Err() != nil {
		w.seek()
		a.changed()
	}
}

// fail counts a failure in an open window. a.mu is held.
func (a *Authority) fail(w *window) {
	if w.failures++; w.failures >= maxFailures {
		w.cancel()
		a.log.Warn("pairing window closed after failures", "failures", w.failures)
	}
}

// enroll decides about a key that its holder has shown in window w. The first key of an epoch
// becomes the owner; its enrolment is logged before it counts. code is the name of the code by
// which the key was shown; empty if the client was there itself.
func (a *Authority) enroll(w *window, key envelope.PublicKey, card []byte, code string) (pairing.Receipt, error) {
	defer a.changes.begin()()
	if w.ctx.Err() != nil {
		return pairing.Receipt{}, proto.Refuse(proto.CodeWindowClosed)
	}
	if m := a.members.get(key.ClientID()); m != nil && m.key.Equal(key) {
		return a.receipt(m), a.showed(m, code) // its first receipt may have been lost
	}
	if a.Owned() {
		return pairing.Receipt{}, proto.Refuse(proto.CodeOwned)
	}
	m := &member{Card: string(card), Name: w.name, Role: proto.RoleOwner, Scopes: proto.OwnerScopes(),
		Added: time.Now().UnixMilli(), Code: code, id: key.ClientID(), key: key}
	_, err := a.changes.commit(nil, func(all *snapshot, index uint64) {
		m.Entry = index
		all.put(m)
	}, accesslog.Entry{Kind: accesslog.KindPair, Client: m.id, Name: m.Name, Role: m.Role, Scopes: m.Scopes, Network: accesslog.NetLocal})
	if err != nil {
		return pairing.Receipt{}, err
	}
	a.report()
	return a.receipt(m), nil
}

func (a *Authority) receipt(m *member) pairing.Receipt {
	return pairing.Receipt{Role: m.Role, Name: m.Name, Broker: a.cfg.Broker(m.id)}
}
