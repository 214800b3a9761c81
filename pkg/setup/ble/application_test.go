package ble

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/godbus/dbus/v5"
)

// BlueZ gives a descriptor the first handle that is free while it reads the objects: out
// of order, the same camera would have another layout each time.
func TestObjectsLeaveInTheOrderOfTheirHandles(t *testing.T) {
	m := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)), dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(tree())),
	}, Body: []any{tree()}}
	keepOrder(m)
	var wire bytes.Buffer
	if err := m.EncodeTo(&wire, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	before := 0
	for _, o := range tree() {
		at := bytes.Index(wire.Bytes(), append([]byte(o.Path), 0, byte(0))[:len(o.Path)+1])
		if at < before {
			t.Errorf("%s is out of order", o.Path)
		}
		before = at
	}
	read, err := dbus.DecodeMessage(bytes.NewReader(wire.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var all objects
	if err := dbus.Store(read.Body, &all); err != nil || len(all) != len(layout)+1 {
		t.Errorf("BlueZ reads %v, %v", all, err)
	}
}
