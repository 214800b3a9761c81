package wifi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// backTime bounds going back to the previous network, which happens however the try ended.
const backTime = 20 * time.Second

// Join joins a network and waits for an address there. The camera uses it until Keep decides;
// if Join fails, the camera goes back to the previous one. Whether the network is in reach and
// can be joined is checked before the previous one is left.
//
// It returns the network in the form in which Keep takes it: with the security that was found,
// so that later nothing weaker with its name is joined.
func (r *Radio) Join(ctx context.Context, w proto.WiFi, progress func(proto.SetupStep)) (proto.WiFi, error) {
	err := r.with(ctx, func(s *session, c card) error {
		progress(proto.StepWiFi)
		n, err := r.look(ctx, s, c, w)
		if err != nil {
			return err
		}
		by, err := choose(w, n)
		if err != nil {
			return err
		}
		r.log.Info("joining a Wi-Fi network", "ssid", foreign.Name(string(w.SSID)), "security", string(n.Security), "signal", n.Signal)
		b := block{s.owner, "", w, by}
		if err := r.enter(ctx, s, c, &b, progress); err != nil {
			r.back(ctx, s, c, b)
			r.log.Warn("the Wi-Fi network was not joined", "ssid", foreign.Name(string(w.SSID)), "error", err)
			return err
		}
		r.joined, r.trial = b, true
		if w.Security == "" || n.Security == proto.SecurityWPA3 { // stronger security that was asked for stays
			w.Security = n.Security
		}
		return nil
	})
	return w, err
}

// look scans for the network as it is now: wpa_supplicant may remember how a router was before
// its owner changed it. One scan may miss it.
func (r *Radio) look(ctx context.Context, s *session, c card, w proto.WiFi) (seen, error) {
	for i := range r.wait.scans {
		how := probing()
		switch {
		case w.Hidden:
			how = probing(w.SSID)
		case i > 0 && i == r.wait.scans-1:
			// A passive scan waits on each channel for longer than an access point is silent.
			// One with a list of devices answers no others, and is found only so.
			how = map[string]any{"Type": "passive"}
		}
		began := time.Now()
		all, err := r.scan(ctx, s, c, how)
		if err != nil {
			return seen{}, err
		}
		limit := uint32(time.Since(began)/time.Second) + 1
		all = slices.DeleteFunc(all, func(n seen) bool { return n.age > limit })
		if n, ok := find(all, w.SSID); ok {
			return n, nil
		}
	}
	return seen{}, new(trail).verdict(false)
}

// enter makes wpa_supplicant join the network and no other.
func (r *Radio) enter(ctx context.Context, s *session, c card, b *block, progress func(proto.SetupStep)) error {
	same := r.current(ctx, s, c) == b.wifi.SSID // then the address there may simply stay
	address, err := r.listen(c.name)
	if err != nil {
		return err
	}
	defer address.close()
	if err := add(ctx, s, c, b, true); err != nil {
		return err
	}
	r.tried++
	for len(s.signals) > 0 { // what the former network did
		<-s.signals
	}
	if err := s.call(ctx, c.at, interfaze+".SelectNetwork", []any{b.at}); err != nil {
		return fmt.Errorf("have wpa_supplicant choose the network: %w", err)
	}
	if err := r.follow(ctx, s, c, *b); err != nil {
		return err
	}
	progress(proto.StepAddress)
	if same && r.addressed(c.name) {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, r.wait.address)
	defer cancel()
	switch err := address.wait(within); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && within.Err() != nil && !r.in(ctx, s, c, *b):
		return r.lost(ctx, s, c, *b, trail{by: b.by})
	case err != nil && within.Err() != nil:
		return &proto.SetupProblem{Code: proto.CodeWiFiNoAddress}
	case err != nil:
		return err
	}
	select {
	case <-time.After(r.wait.names):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// add adds the network to wpa_supplicant. With alone, it is not tried before it is selected.
func add(ctx context.Context, s *session, c card, b *block, alone bool) error {
	m := settings(b.wifi, b.by)
	if !alone {
		m["disabled"] = int32(0)
	}
	if b.by == waySAE { // both forms of WPA3's exchange; an older one knows only one
		_ = s.set(ctx, c.at, interfaze, "SaePwe", "2")
	}
	if err := s.call(ctx, c.at, interfaze+".AddNetwork", []any{variants(m)}, &b.at); err != nil {
		return fmt.Errorf("give wpa_supplicant the network: %w", err)
	}
	b.owner = s.owner
	return nil
}

// follow waits until the camera is in the network, or it is known why it can't join.
func (r *Radio) follow(ctx context.Context, s *session, c card, b block) error {
	within, cancel := context.WithTimeout(ctx, r.wait.join)
	defer cancel()
	t := trail{by: b.by}
	for {
		select {
		case m, ok := <-s.signals:
			if !ok || s.ownership(m) {
				return fmt.Errorf("wpa_supplicant ended meanwhile: %w", errAway)
			}
			p, ok := s.changes(c, m)
			if !ok {
				continue
			}
			wrong := t.wrong
			t.follow(p)
			if t.state == stateCompleted && r.in(ctx, s, c, b) {
				return nil
			}
			if t.sure() {
				return t.verdict(true)
			}
			if t.wrong > wrong { // it would wait ten seconds by itself
				if err := s.call(ctx, c.at, interfaze+".SelectNetwork", []any{b.at}); err != nil {
					return err
				}
			}
		case <-within.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return r.lost(ctx, s, c, b, t)
		}
	}
}

// lost returns why the interface is not in the network, by what it finds now.
func (r *Radio) lost(ctx context.Context, s *session, c card, b block, t trail) error {
	all, err := heard(ctx, s, c)
	_, ok := find(all, b.wifi.SSID)
	return t.verdict(ok || err != nil)
}

// in reports whether the interface is in the network now.
func (r *Radio) in(ctx context.Context, s *session, c card, b block) bool {
	state, err := property[string](ctx, s, c.at, interfaze, "State")
	if err != nil || state != stateCompleted {
		return false
	}
	at, err := property[dbus.ObjectPath](ctx, s, c.at, interfaze, "CurrentNetwork")
	return err == nil && at == b.at
}

// current returns the SSID of the network that the interface is in, or "".
func (r *Radio) current(ctx context.Context, s *session, c card) proto.SSID {
	state, err := property[string](ctx, s, c.at, interfaze, "State")
	if err != nil || state != stateCompleted {
		return ""
	}
	at, err := property[dbus.ObjectPath](ctx, s, c.at, interfaze, "CurrentBSS")
	if err != nil || at == "/" {
		return ""
	}
	ssid, err := property[[]byte](ctx, s, at, bssType, "SSID")
	if err != nil {
		return ""
	}
	return proto.SSID(ssid)
}

// back leaves a network that was tried, for the previous ones.
func (r *Radio) back(ctx context.Context, s *session, c card, b block) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer cancel()
	if b.at == "" {
		return // nothing was touched
	}
	err := s.call(ctx, c.at, interfaze+".RemoveNetwork", []any{b.at})
	if err = errors.Join(err, r.release(ctx, s, c)); err != nil {
		r.log.Warn("the way back to the former Wi-Fi network failed; it is tried again", "error", err)
	}
}

// release lets wpa_supplicant use all of its networks again, after one was selected alone.
func (r *Radio) release(ctx context.Context, s *session, c card) error {
	paths, err := property[[]dbus.ObjectPath](ctx, s, c.at, interfaze, "Networks")
	if err != nil {
		return err
	}
	var errs []error
	for _, at := range paths {
		if on, err := property[bool](ctx, s, at, networkOf, "Enabled"); err == nil && !on {
			errs = append(errs, s.set(ctx, at, networkOf, "Enabled", true))
		}
	}
	if state, err := property[string](ctx, s, c.at, interfaze, "State"); err == nil && state != stateCompleted && len(paths) > 0 {
		errs = append(errs, s.call(ctx, c.at, interfaze+".Reassociate", nil))
	}
	return errors.Join(errs...)
}
