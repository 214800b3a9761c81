package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
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

var (
	// ErrWindowClosed is returned if nobody has opened the pairing window, or it has closed
	// again.
	ErrWindowClosed = errors.New("the pairing window is closed; open it with camd pair")
	// ErrPairingBusy is returned while another pairing is under way.
	ErrPairingBusy = errors.New("another pairing is under way; try again in a moment")
)

// PairingWindow is the pairing window, which someone at the device opens for a while. It lets
// one handshake after the other in. It is safe for concurrent use.
type PairingWindow struct {
	log       *slog.Logger
	handshake chan struct{} // holds one value while a handshake is under way

	mu      sync.Mutex
	current *window       // nil when closed
	turned  chan struct{} // closed when the window next opens or closes; nil: nobody has asked for it
}

// WindowState is the state of the pairing window.
type WindowState struct {
	Open  bool
	Until time.Time
	Name  string
}

// OpenWindow opens the pairing window for d, for a member whose name will be name. A window
// that was open before is closed: its handshake ends, and its failures don't count any more.
func (p *PairingWindow) OpenWindow(d time.Duration, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.current.cancel()
	}
	p.current = &window{ctx: ctx, cancel: cancel, name: name, until: time.Now().Add(d)}
	p.current.seek()
	p.changed()
	context.AfterFunc(ctx, func() { // when it closes, for whatever reason
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed()
	})
	p.log.Info("pairing window opened", "seconds", int(d.Seconds()), "name", name)
	return nil
}

// CloseWindow closes the pairing window, and ends a handshake in it.
func (p *PairingWindow) CloseWindow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current != nil {
		p.current.cancel()
		p.current = nil
	}
}

// WindowState returns the state of the pairing window.
func (p *PairingWindow) WindowState() WindowState {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.ctx.Err() != nil {
		return WindowState{}
	}
	return WindowState{Open: true, Until: p.current.until, Name: p.current.name}
}

// CountWrongCode counts a code that was not made with the label's secret as a failure of the
// window, once for each code, since the camera reads the same one again and again.
func (p *PairingWindow) CountWrongCode(code string) {
	if w, err := p.opened(); err == nil {
		p.countWrong(w, code)
	}
}

// Window returns a context that ends when the open pairing window closes. If none is open, it
// has ended.
func (p *PairingWindow) Window() context.Context {
	if w, err := p.opened(); err == nil {
		return w.ctx
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// WindowChanged returns a channel that is closed when the pairing window next opens or
// closes. Get it before WindowState to miss no change; it may be closed for no change too.
func (p *PairingWindow) WindowChanged() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turned == nil {
		p.turned = make(chan struct{})
	}
	return p.turned
}

// changed closes the channel of WindowChanged. p.mu is held.
func (p *PairingWindow) changed() {
	if p.turned != nil {
		close(p.turned)
		p.turned = nil
	}
}

// joinWait is how long a handshake waits for the one before: a client is paired a moment
// before camd has finished with it, and a client that says nothing is given up.
const joinWait = pairing.FirstPatience + 2*time.Second

// enter begins a handshake. There is one at a time, over all windows: two at once could both
// find the device without an owner.
func (p *PairingWindow) enter(ctx context.Context) (*window, error) {
	if _, err := p.opened(); err != nil {
		return nil, err
	}
	select {
	case p.handshake <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(joinWait):
		return nil, ErrPairingBusy
	}
	w, err := p.opened()
	if err != nil { // it was closed meanwhile
		<-p.handshake
	}
	return w, err
}

func (p *PairingWindow) opened() (*window, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil || p.current.ctx.Err() != nil {
		return nil, ErrWindowClosed
	}
	return p.current, nil
}

// leave ends a handshake, and counts its failure.
func (p *PairingWindow) leave(w *window, err error) {
	defer func() { <-p.handshake }() // last, so that nobody looks for codes during the next one
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil || w.ctx.Err() != nil {
		return
	}
	p.fail(w)
	if w.seeking.Err() != nil {
		w.seek()
		p.changed()
	}
}

// fail counts a failure in an open window. p.mu is held.
func (p *PairingWindow) fail(w *window) {
	if w.failures++; w.failures >= maxFailures {
		w.cancel()
		p.log.Warn("pairing window closed after failures", "failures", w.failures)
	}
}

func (p *PairingWindow) countWrong(w *window, code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.ctx.Err() != nil || w.wrong[code] {
		return
	}
	if w.wrong == nil {
		w.wrong = map[string]bool{}
	}
	w.wrong[code] = true // at most maxFailures of them
	p.fail(w)
}

// AwaitSeeking waits until the camera should look for codes, and returns a context that ends
// when it should not any more, or when ctx ends. It should while the pairing window is open,
// but not while a client that knows the label's secret pairs in another way, and not after a
// client has paired. The error is that of ctx.
func (p *PairingWindow) AwaitSeeking(ctx context.Context) (context.Context, error) {
	for ctx.Err() == nil {
		changed := p.WindowChanged()
		var seeking context.Context // nil: not now
		p.mu.Lock()
		if w := p.current; w != nil && w.seeking.Err() == nil {
			seeking = w.seeking
		}
		p.mu.Unlock()
		if seeking != nil {
			ctx, cancel := context.WithCancel(ctx)
			context.AfterFunc(seeking, cancel)
			return ctx, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}
