package wifi

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/proto"
)

// What the fake wpa_supplicant has on the bus.

// Scan looks for what is in the air.
func (f *fake) Scan(args map[string]dbus.Variant) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, named := args["SSIDs"].Value().([][]byte)
	f.quietly = args["Type"].Value() == "passive"
	if !f.quietly && args["Type"].Value() != "active" || f.quietly && named {
		return errorf("InvalidArgs", "Type")
	}
	f.scans++
	for _, p := range f.air {
		if f.scans > 1 { // the first one misses it
			p.before = ""
		}
	}
	f.probed = nil
	for _, ssid := range l {
		f.probed = append(f.probed, string(ssid))
	}
	if f.liar != nil { // before anything was heard
		_ = f.liar.Emit(cardPath, interfaze+".ScanDone", true)
	}
	f.emit(cardPath, interfaze+".ScanDone", true)
	return nil
}

// AddNetwork adds one that is not tried before it is enabled.
func (f *fake) AddNetwork(args map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failAdd {
		return "", errorf("InvalidArgs", "invalid message format")
	}
	n := &network{id: f.next, p: args, enabled: args["disabled"].Value() == int32(0)}
	f.next++
	f.nets = append(f.nets, n)
	return netPath(n.id), nil
}

func (f *fake) byPath(at dbus.ObjectPath) *network {
	i := slices.IndexFunc(f.nets, func(n *network) bool { return netPath(n.id) == at })
	if i < 0 {
		return nil
	}
	return f.nets[i]
}

// SelectNetwork enables one, disables the others and joins it.
func (f *fake) SelectNetwork(at dbus.ObjectPath) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.byPath(at)
	if n == nil {
		return errorf("NetworkUnknown", string(at))
	}
	for _, o := range f.nets {
		o.enabled = o == n
	}
	n.benched, f.selected = false, true
	if f.current != n {
		f.leave()
	}
	f.settle()
	return nil
}

func (f *fake) leave() {
	if f.current != nil {
		f.current, f.in, f.addressed = nil, nil, false
		f.changed("", map[string]any{"DisconnectReason": int32(-3)})
		f.changed("disconnected", nil)
	}
}

// RemoveNetwork forgets one.
func (f *fake) RemoveNetwork(at dbus.ObjectPath) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failRemove {
		f.failRemove = false
		return errorf("UnknownError", "busy")
	}
	n := f.byPath(at)
	if n == nil {
		return errorf("NetworkUnknown", string(at))
	}
	f.nets = slices.DeleteFunc(f.nets, func(o *network) bool { return o == n })
	if f.current == n {
		f.leave()
		f.selected = false
	}
	return nil
}

// Reassociate joins whatever is enabled.
func (f *fake) Reassociate() *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.selected = true
	f.leave()
	f.settle()
	return nil
}

// Get gives one property.
func (f *fake) Get(m dbus.Message, iface, name string) (dbus.Variant, *dbus.Error) {
	all, err := f.GetAll(m, iface)
	if err != nil {
		return dbus.Variant{}, err
	}
	if name == "Networks" {
		f.mu.Lock()
		f.asked++
		f.mu.Unlock()
	}
	v, ok := all[name]
	if !ok {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{"no such property"})
	}
	return v, nil
}

// GetAll gives every property.
func (f *fake) GetAll(m dbus.Message, iface string) (map[string]dbus.Variant, *dbus.Error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	switch iface {
	case service:
		l := []dbus.ObjectPath{}
		if _, err := os.Stat(filepath.Join(f.sys, fakeCard)); err == nil {
			l = append(l, cardPath)
		}
		return variants(map[string]any{"Interfaces": l}), nil
	case interfaze:
		return f.card(), nil
	case bssType:
		for i, p := range f.air {
			if bssPath(i) == at {
				return p.properties(f.probed, f.quietly), nil
			}
		}
	case networkOf:
		if n := f.byPath(at); n != nil {
			p := map[string]dbus.Variant{}
			for key := range n.p {
				if s := n.text(key); s != "" {
					p[key] = dbus.MakeVariant(`"` + s + `"`)
				}
			}
			return variants(map[string]any{"Enabled": n.enabled, "Properties": p}), nil
		}
	}
	return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownObject", []any{string(at)})
}

func (f *fake) card() map[string]dbus.Variant {
	p := map[string]any{"Ifname": fakeCard, "State": f.state, "CurrentNetwork": dbus.ObjectPath("/"), "CurrentBSS": dbus.ObjectPath("/")}
	nets, bsss := []dbus.ObjectPath{}, []dbus.ObjectPath{}
	for _, n := range f.nets {
		nets = append(nets, netPath(n.id))
	}
	for i := range f.air {
		bsss = append(bsss, bssPath(i))
	}
	p["Networks"], p["BSSs"] = nets, bsss
	if f.current != nil {
		p["CurrentNetwork"], p["CurrentBSS"] = netPath(f.current.id), bssPath(slices.Index(f.air, f.in))
	}
	for name, v := range f.props {
		p[name] = v
	}
	return variants(p)
}

// Set sets what camd may set.
func (f *fake) Set(m dbus.Message, iface, name string, v dbus.Variant) *dbus.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	switch n := f.byPath(at); {
	case iface == networkOf && name == "Enabled" && n != nil:
		n.enabled, _ = v.Value().(bool)
	case iface == interfaze && at == cardPath:
		f.props[name] = v.Value()
	default:
		return dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", []any{name})
	}
	return nil
}

// properties returns what wpa_supplicant says of an access point.
func (p *point) properties(probed []string, quietly bool) map[string]dbus.Variant {
	ssid := []byte(p.ssid)
	if p.hidden && !slices.Contains(probed, p.ssid) {
		ssid = nil
	}
	if p.before != "" || p.strict && !quietly {
		m := bssProperties(ssid, cmp.Or(p.before, p.security), p.signal, 2437)
		m["Age"] = dbus.MakeVariant(uint32(20))
		return m
	}
	return bssProperties(ssid, p.security, p.signal, 2437)
}

// bssProperties returns those of an access point, as wpa_supplicant writes them.
func bssProperties(ssid []byte, s proto.Security, signal int16, frequency uint16) map[string]dbus.Variant {
	keys := map[proto.Security]string{proto.SecurityWPA2: "wpa-psk", proto.SecurityTransition: "wpa-psk sae", proto.SecurityWPA3: "sae", proto.SecurityOther: "wpa-eap"}[s]
	rsn, none := map[string]any{"KeyMgmt": []string{}, "Pairwise": []string{}, "Group": ""}, map[string]any{"KeyMgmt": []string{}, "Pairwise": []string{}, "Group": ""}
	if keys != "" {
		rsn = map[string]any{"KeyMgmt": strings.Fields(keys), "Pairwise": []string{"ccmp"}, "Group": "ccmp", "MgmtGroup": ""}
	}
	return variants(map[string]any{
		"SSID": ssid, "BSSID": []byte{2, 0, 0, 0, 0, 1}, "Privacy": s != proto.SecurityOpen, "Mode": "infrastructure", "Signal": signal,
		"Frequency": frequency, "Rates": []uint32{54000000}, "WPA": variants(none), "RSN": variants(rsn), "Age": uint32(1),
	})
}
