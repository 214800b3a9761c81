package main

import (
	"fmt"

	"github.com/godbus/dbus/v5"
)

const (
	supplicant  = "fi.w1.wpa_supplicant1"
	ofInterface = supplicant + ".Interface"
)

type network struct{ ssid, management, password string }

func (n network) settings() map[string]dbus.Variant {
	m := map[string]dbus.Variant{"ssid": dbus.MakeVariant([]byte(n.ssid)), "key_mgmt": dbus.MakeVariant(n.management)}
	switch n.management {
	case "NONE":
	case "SAE":
		m["sae_password"] = dbus.MakeVariant(n.password)
		m["ieee80211w"] = dbus.MakeVariant(int32(2))
	default:
		m["psk"] = dbus.MakeVariant(n.password)
	}
	return m
}

// join has wpa_supplicant join a network, and tells whether it could, and what it says if not.
func join(bus *dbus.Conn, card string, n network) error {
	changes, err := follow(bus, supplicant)
	if err != nil {
		return err
	}
	root := bus.Object(supplicant, "/fi/w1/wpa_supplicant1")
	var path dbus.ObjectPath
	if err := call(root, supplicant+".GetInterface", []any{card}, &path); err != nil {
		create := map[string]dbus.Variant{"Ifname": dbus.MakeVariant(card), "Driver": dbus.MakeVariant("nl80211")}
		if err := call(root, supplicant+".CreateInterface", []any{create}, &path); err != nil {
			return err
		}
	}
	i := bus.Object(supplicant, path)
	if err := call(i, ofInterface+".RemoveAllNetworks", nil); err != nil {
		return err
	}
	if err := scan(bus, i, n.ssid, changes); err != nil {
		return err
	}
	var added dbus.ObjectPath
	if err := call(i, ofInterface+".AddNetwork", []any{n.settings()}, &added); err != nil {
		return err
	}
	if err := call(i, ofInterface+".SelectNetwork", []any{added}); err != nil {
		return err
	}
	return outcome(changes)
}

// scan looks until a network is there, and tells of its security.
func scan(bus *dbus.Conn, i dbus.BusObject, ssid string, changes <-chan *dbus.Signal) error {
	for {
		// It may refuse, because it is scanning: then that scan's end is waited for.
		err := call(i, ofInterface+".Scan", []any{map[string]dbus.Variant{"Type": dbus.MakeVariant("active")}})
		if err != nil {
			fmt.Println(err)
		}
		for s := range changes {
			if s.Name == ofInterface+".ScanDone" {
				break
			}
		}
		v, err := i.GetProperty(ofInterface + ".BSSs")
		if err != nil {
			return err
		}
		all, _ := v.Value().([]dbus.ObjectPath)
		for _, path := range all {
			var has map[string]dbus.Variant
			if err := call(bus.Object(supplicant, path), properties+"GetAll", []any{supplicant + ".BSS"}, &has); err != nil {
				return err
			}
			if name, _ := has["SSID"].Value().([]byte); string(name) == ssid {
				fmt.Println("seen", ssid, has["RSN"])
				return nil
			}
		}
	}
}

// outcome waits until the network is joined, or refuses.
func outcome(changes <-chan *dbus.Signal) error {
	for s := range changes {
		if s.Name != properties+"PropertiesChanged" || len(s.Body) < 2 {
			continue
		}
		changed, _ := s.Body[1].(map[string]dbus.Variant)
		for _, name := range []string{"State", "DisconnectReason", "AuthStatusCode", "AssocStatusCode"} {
			if v, ok := changed[name]; ok {
				fmt.Println(name, v.Value())
			}
		}
		switch reason, _ := changed["DisconnectReason"].Value().(int32); {
		case changed["State"].Value() == "completed":
			return nil
		case reason > 0: // what the access point says; below zero it is the own one
			return fmt.Errorf("refused for reason %d", reason)
		}
		if status, _ := changed["AuthStatusCode"].Value().(int32); status > 0 {
			return fmt.Errorf("refused with status %d", status)
		}
	}
	return dbus.ErrClosed
}
