package wifi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
)

// apply makes wpa_supplicant know the kept network and no other of camd's. An earlier camd may
// have left others.
func (r *Radio) apply(ctx context.Context, s *session, c card) error {
	paths, err := property[[]dbus.ObjectPath](ctx, s, c.at, interfaze, "Networks")
	if err != nil {
		return err
	}
	stays := r.adopt(ctx, s, c, paths)
	changed := false
	for _, at := range paths {
		if at == stays || !ours(ctx, s, at) {
			continue
		}
		if err := s.call(ctx, c.at, interfaze+".RemoveNetwork", []any{at}); err != nil {
			return fmt.Errorf("remove a network from wpa_supplicant: %w", err)
		}
		changed = true
	}
	r.joined = block{}
	if r.kept != nil && stays == "" {
		b := block{wifi: *r.kept, by: usual(*r.kept)}
		if all, err := heard(ctx, s, c); err == nil {
			if n, ok := find(all, b.wifi.SSID); ok {
				if by, err := choose(b.wifi, n); err == nil {
					b.by = by
				}
			}
		}
		if err := add(ctx, s, c, &b, false); err != nil {
			return err
		}
		r.put, changed = b, true
		r.tried++
	}
	if !changed {
		return nil
	}
	return r.release(ctx, s, c)
}

// adopt returns the kept network among those that wpa_supplicant has, or "". A network of an
// earlier camd is recognised by the interface being in it, since its password can't be read.
func (r *Radio) adopt(ctx context.Context, s *session, c card, paths []dbus.ObjectPath) dbus.ObjectPath {
	if r.kept == nil {
		r.put = block{}
		return ""
	}
	for _, b := range []block{r.joined, r.put} {
		if b.in(s, paths) && b.is(*r.kept) {
			r.put = b
			return b.at
		}
	}
	at, err := property[dbus.ObjectPath](ctx, s, c.at, interfaze, "CurrentNetwork")
	if err != nil || r.put.owner == s.owner || !ours(ctx, s, at) || r.current(ctx, s, c) != r.kept.SSID {
		return ""
	}
	r.put = block{s.owner, at, *r.kept, usual(*r.kept)}
	return at
}

// ours reports whether camd has added the network.
func ours(ctx context.Context, s *session, at dbus.ObjectPath) bool {
	if at == "/" {
		return false
	}
	p, err := property[map[string]dbus.Variant](ctx, s, at, networkOf, "Properties")
	return err == nil && value[string](p, "id_str") == `"`+mark+`"`
}

// Run keeps the network in use while wpa_supplicant and interfaces come and go, and reports to
// health.
func (r *Radio) Run(ctx context.Context, ready func()) error {
	ready()
	for ctx.Err() == nil {
		err := r.watch(ctx)
		if ctx.Err() == nil && r.begin(ctx) == nil {
			r.say(view{present: r.Present(), kept: r.kept, err: err})
			<-r.work
		}
		select {
		case <-ctx.Done():
		case <-time.After(r.wait.look):
		}
	}
	return nil
}

// watch watches wpa_supplicant over one connection to the bus.
func (r *Radio) watch(ctx context.Context) error {
	s, err := dial(ctx, r.bus)
	if err != nil {
		return err
	}
	defer s.close()
	tick := time.NewTicker(r.wait.look)
	defer tick.Stop()
	w := watcher{r: r, s: s, since: time.Now()}
	turn := r.work // nil while there is nothing to check
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-s.signals:
			if !ok {
				return errors.New("the system bus went away")
			}
			if w.hear(m) {
				turn = r.work
			}
		case <-tick.C:
			turn = r.work
		case <-r.wake:
			turn = r.work
		case turn <- struct{}{}:
			w.tend(ctx)
			<-r.work
			turn = nil
		}
	}
}

// watcher is what Run knows about the interface, for one connection to the bus.
type watcher struct {
	r     *Radio
	s     *session
	c     card
	trail trail
	tried int       // Radio.tried, when trail began
	since time.Time // of the last change between in the network and not
	in    bool
}

// hear handles a signal, and reports whether something must be checked.
func (w *watcher) hear(m *dbus.Signal) bool {
	if w.s.ownership(m) {
		return true
	}
	if p, ok := w.s.changes(w.c, m); ok {
		w.trail.follow(p)
		return p["State"].Value() != nil
	}
	return m.Sender == w.s.owner && (m.Name == service+".InterfaceAdded" || m.Name == service+".InterfaceRemoved")
}

// tend makes the camera use the kept network if it does not, and reports to health.
func (w *watcher) tend(ctx context.Context) {
	v := view{kept: w.r.kept}
	names := w.r.Interfaces()
	v.present = len(names) > 0
	if v.present {
		w.c, v.err = w.s.card(ctx, names)
	}
	if v.present && v.err == nil && w.r.told && !w.r.trying(ctx, w.s, w.c) {
		v.err = w.r.apply(ctx, w.s, w.c)
	}
	if w.tried != w.r.tried {
		w.trail, w.tried = trail{}, w.r.tried
	}
	if v.present && v.err == nil {
		v.ssid = w.r.current(ctx, w.s, w.c)
		v.address = w.r.addressed(w.c.name)
		if in := v.ssid != ""; in != w.in {
			w.in, w.since = in, time.Now()
		}
		v.settling = time.Since(w.since) < w.r.wait.settle
		if v.kept != nil && v.ssid == "" && !v.settling {
			v.why = w.why(ctx)
		}
	}
	if ctx.Err() == nil {
		w.r.say(v)
	}
}

// trying reports whether a network was joined and Keep has not decided about it. Afterwards
// Run does what Keep could not do.
func (r *Radio) trying(ctx context.Context, s *session, c card) bool {
	if !r.trial {
		return false
	}
	paths, err := property[[]dbus.ObjectPath](ctx, s, c.at, interfaze, "Networks")
	return err == nil && r.joined.in(s, paths)
}

// why returns why the interface is not in the kept network. If the network has changed, for
// example with a new router, the next check finds how to join it.
func (w *watcher) why(ctx context.Context) error {
	all, err := heard(ctx, w.s, w.c)
	if err != nil {
		return err
	}
	kept := *w.r.kept
	w.trail.by = w.r.put.by
	n, ok := find(all, kept.SSID)
	if !ok {
		return w.trail.verdict(false)
	}
	by, err := choose(kept, n)
	if err != nil {
		return err
	}
	if by != w.r.put.by {
		w.r.put = block{}
		w.r.wakeUp()
	}
	return w.trail.verdict(true)
}

// view is the state of the Wi-Fi for health.
type view struct {
	present  bool        // the machine has an interface
	err      error       // it can't be worked with
	kept     *proto.WiFi // the network that should be in use
	ssid     proto.SSID  // the one in which the interface is
	address  bool        // it has one there
	settling bool        // that is new
	why      error       // what keeps it from the network
}

// condition returns the health of the Wi-Fi. Every member can read it, guests too, so it names
// no network, by which a home could be found.
func (v view) condition() (health.State, string) {
	switch {
	case v.kept == nil && !v.present:
		return health.OK, "none: this camera has no Wi-Fi"
	case v.kept == nil && v.ssid == "":
		return health.OK, "no network is set up"
	case v.kept == nil:
		return health.OK, ""
	case !v.present:
		return health.Failed, "The Wi-Fi interface is missing. Plug it in; until then the camera has no Wi-Fi."
	case v.err != nil:
		return health.Failed, fmt.Sprintf("The camera's Wi-Fi does not work: %v.", v.err)
	case v.ssid != "" && v.address:
		return health.OK, ""
	case v.settling && v.ssid == "":
		return health.Starting, "The camera is joining its Wi-Fi network."
	case v.settling:
		return health.Starting, "The camera is waiting for an address in the Wi-Fi network."
	case v.ssid != "":
		return health.Failed, "The camera joined its Wi-Fi network but has no address there. Check the router, or restart it."
	}
	return health.Failed, fmt.Sprintf("The camera can't join its Wi-Fi network, and keeps trying. %v", v.why)
}

func (r *Radio) say(v view) {
	if r.health != nil {
		r.health.Set(v.condition())
	}
}

// addressed reports whether an interface has an address that reaches other networks.
func addressed(name string) bool {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return false
	}
	l, err := i.Addrs()
	if err != nil {
		return false
	}
	for _, a := range l {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return true
		}
	}
	return false
}
