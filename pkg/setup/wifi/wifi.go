// Package wifi connects the camera to a Wi-Fi network, through wpa_supplicant over D-Bus. It
// lists networks, joins one, reports the real reason if that fails and goes back to the
// previous network, and keeps the network that was set up in use. wpa_supplicant forgets
// camd's networks when it ends: they are not in its file, and networks in that file stay as
// they are.
//
// Sources: wpa_supplicant's doc/dbus.doxygen and wpa_supplicant.conf(5). It works with
// wpa_supplicant 2.10 (Debian) and 2.11 (the image).
package wifi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// patience holds time limits.
type patience struct {
	scan    time.Duration // a scan of all channels
	scans   int           // before a network counts as missing
	join    time.Duration // from the choice of a network to its last key
	address time.Duration // from then to an address
	names   time.Duration // from the route to servers of names, which no message reports
	settle  time.Duration // before the kept network's absence is a fault
	look    time.Duration // between checks of what no signal reports
}

var usualPatience = patience{
	scan: 15 * time.Second, scans: 3, join: 40 * time.Second, address: 45 * time.Second,
	names: time.Second, settle: 20 * time.Second, look: 10 * time.Second,
}

// Radio is the camera's Wi-Fi. A camera may have none. It is safe for concurrent use.
type Radio struct {
	log    *slog.Logger
	health *health.Condition
	bus    string // address; empty: the system's
	sys    string // the kernel's list of interfaces
	wait   patience

	listen    func(name string) (arrivals, error)
	addressed func(name string) bool // the interface has an address with which others can be reached

	work   chan struct{} // held while somebody works with wpa_supplicant
	wake   chan struct{} // for Run: there is something to look at
	told   bool          // Keep was called; work guards this and what follows
	kept   *proto.WiFi
	put    block // the kept network in wpa_supplicant
	joined block // the network that was joined and is not kept yet
	trial  bool  // Keep has not decided about joined yet
	tried  int   // counts the networks that were tried
}

// arrivals watches the addresses of an interface.
type arrivals interface {
	// wait returns when the interface has got a usable address, and a route if there is
	// one, or when ctx ends.
	wait(ctx context.Context) error
	close()
}

// block is a network of camd in one running wpa_supplicant.
type block struct {
	owner string
	at    dbus.ObjectPath
	wifi  proto.WiFi
	by    way
}

// in reports whether wpa_supplicant still has the network, by its list.
func (b block) in(s *session, list []dbus.ObjectPath) bool {
	return b.owner != "" && b.owner == s.owner && slices.Contains(list, b.at)
}

// is reports whether the block joins the same network as w.
func (b block) is(w proto.WiFi) bool {
	return b.wifi.SSID == w.SSID && b.wifi.Password == w.Password && b.wifi.Hidden == w.Hidden
}

// New returns the camera's Wi-Fi. board may be nil if nobody reads conditions.
func New(log *slog.Logger, board *health.Board) *Radio {
	r := &Radio{log: log.With("component", "wifi"), sys: "/sys/class/net", wait: usualPatience, listen: listen, addressed: addressed,
		work: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	if board != nil {
		r.health = board.Condition("wifi")
	}
	return r
}

// String names the part.
func (*Radio) String() string { return "wifi" }

// Interfaces returns the names of the machine's Wi-Fi interfaces.
func (r *Radio) Interfaces() []string {
	found, _ := filepath.Glob(filepath.Join(r.sys, "*", "phy80211")) // the pattern is right
	names := make([]string, 0, len(found))
	for _, f := range found {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	slices.Sort(names)
	return names
}

// Present reports whether the machine has Wi-Fi.
func (r *Radio) Present() bool { return len(r.Interfaces()) > 0 }

// Networks scans and returns the networks in reach: at most proto.MaxNetworks, the strongest
// first, each SSID once.
func (r *Radio) Networks(ctx context.Context) ([]proto.Network, error) {
	var l []proto.Network
	err := r.with(ctx, func(s *session, c card) error {
		all, err := r.scan(ctx, s, c, probing())
		l = list(all)
		return err
	})
	return l, err
}

// Current returns the network that the interface is in, or nil.
func (r *Radio) Current(ctx context.Context) (*proto.Network, error) {
	var n *proto.Network
	err := r.with(ctx, func(s *session, c card) error {
		if r.current(ctx, s, c) == "" {
			return nil
		}
		at, err := property[dbus.ObjectPath](ctx, s, c.at, interfaze, "CurrentBSS")
		if err != nil {
			return err
		}
		p, err := s.all(ctx, at, bssType)
		if err != nil {
			return err
		}
		p["Age"] = dbus.MakeVariant(uint32(0)) // since the last scan, though it is in it
		if in, ok := readBSS(p); ok {
			n = &in.Network
		}
		return nil
	})
	return n, err
}

// Interface returns the name of the interface that camd uses.
func (r *Radio) Interface(ctx context.Context) (string, error) {
	var name string
	err := r.with(ctx, func(_ *session, c card) error { name = c.name; return nil })
	return name, err
}

// Keep makes the camera use a network from now on: the one that was just joined, an earlier
// one or, if w is nil, none of camd's. Any other that was joined is left. Run makes it so again
// whenever wpa_supplicant or the interface comes back, so neither need be there now. Before
// the first Keep, Run leaves everything as an earlier camd left it.
func (r *Radio) Keep(ctx context.Context, w *proto.WiFi) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	r.kept, r.told, r.trial = w, true, false
	s, c, err := r.open(ctx)
	if err != nil {
		return nil //nolint:nilerr // Run puts it there when it can, and says why it can't
	}
	defer s.close()
	return r.apply(ctx, s, c)
}

// begin waits for its turn with wpa_supplicant.
func (r *Radio) begin(ctx context.Context) error {
	select {
	case r.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends the turn, and makes Run check what has changed.
func (r *Radio) end() {
	<-r.work
	r.wakeUp()
}

func (r *Radio) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// with works with the interface. Errors that a person can fix are *proto.SetupProblem.
func (r *Radio) with(ctx context.Context, do func(*session, card) error) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	s, c, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return do(s, c)
}

// open connects to wpa_supplicant and finds the interface.
func (r *Radio) open(ctx context.Context) (*session, card, error) {
	names := r.Interfaces()
	if len(names) == 0 {
		return nil, card{}, &proto.SetupProblem{Code: proto.CodeNoWiFi}
	}
	s, err := dial(ctx, r.bus)
	if err != nil {
		return nil, card{}, noWiFi(names[0], err)
	}
	c, err := s.card(ctx, names)
	if err != nil {
		s.close()
		return nil, card{}, noWiFi(names[0], err)
	}
	return s, c, nil
}

func noWiFi(name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return problem(proto.CodeNoWiFi, "The camera's Wi-Fi %s does not work: %v.", foreign.Name(name), err)
}

// probing returns the options of an active scan, which also asks for hidden networks by name. It takes a moment on
// each channel.
func probing(hidden ...proto.SSID) map[string]any {
	args := map[string]any{"Type": "active"}
	if len(hidden) > 0 {
		l := [][]byte{}
		for _, ssid := range hidden {
			l = append(l, []byte(ssid))
		}
		args["SSIDs"] = append(l, []byte{})
	}
	return args
}

// scan makes wpa_supplicant scan, and returns what it has found.
func (r *Radio) scan(ctx context.Context, s *session, c card, args map[string]any) ([]seen, error) {
	err := s.call(ctx, c.at, interfaze+".Scan", []any{variants(args)})
	var busy saidError
	if err != nil && !errors.As(err, &busy) { // one may be under way
		return nil, fmt.Errorf("look for Wi-Fi networks: %w", err)
	}
	within, cancel := context.WithTimeout(ctx, r.wait.scan)
	defer cancel()
	for done := false; !done; {
		select {
		case m, ok := <-s.signals:
			if !ok || s.ownership(m) && s.owner == "" {
				return nil, errAway
			}
			done = m.Sender == s.owner && m.Path == c.at && m.Name == interfaze+".ScanDone"
		case <-within.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			done = true // what is known by now
		}
	}
	return heard(ctx, s, c)
}

// heard returns the access points that wpa_supplicant knows.
func heard(ctx context.Context, s *session, c card) ([]seen, error) {
	paths, err := property[[]dbus.ObjectPath](ctx, s, c.at, interfaze, "BSSs")
	if err != nil {
		return nil, fmt.Errorf("read which Wi-Fi networks are heard: %w", err)
	}
	var l []seen
	for _, at := range paths[:min(len(paths), maxBSS)] {
		p, err := s.all(ctx, at, bssType)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue // it is gone already
		}
		if n, ok := readBSS(p); ok {
			l = append(l, n)
		}
	}
	return l, nil
}

// find returns the network with a name.
func find(all []seen, ssid proto.SSID) (seen, bool) {
	l := merge(all)
	i := slices.IndexFunc(l, func(n seen) bool { return n.SSID == ssid })
	if i < 0 {
		return seen{}, false
	}
	return l[i], true
}

func variants(m map[string]any) map[string]dbus.Variant {
	v := make(map[string]dbus.Variant, len(m))
	for name, x := range m {
		v[name] = dbus.MakeVariant(x)
	}
	return v
}
