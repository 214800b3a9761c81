package mqttframe

import (
	"bytes"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

func publishOf(n int) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName = "t"
	p.Payload = make([]byte, n-len("t")-2)
	var b bytes.Buffer
	_ = p.Write(&b) // to memory
	return b.Bytes()
}

func TestFrame(t *testing.T) {
	for name, c := range map[string]struct {
		stream []byte
		ok     bool
	}{
		"nothing":           {nil, true},
		"CONNACK":           {[]byte{0x20, 2, 0, 0}, true},
		"CONNACK refusal":   {[]byte{0x20, 2, 0, 5}, true},
		"CONNACK unknown":   {[]byte{0x20, 2, 0, 6}, false},
		"CONNACK long":      {[]byte{0x20, 3}, false},
		"PUBLISH":           {publishOf(100), true},
		"PUBLISH retained":  {append([]byte{0x31}, publishOf(100)[1:]...), true},
		"PUBLISH largest":   {publishOf(MaxPacket), true},
		"PUBLISH larger":    {publishOf(MaxPacket + 1)[:4], false},
		"PUBLISH empty":     {[]byte{0x30, 0}, false},
		"PUBLISH QoS 1":     {[]byte{0x32, 5}, false},
		"PUBLISH duplicate": {[]byte{0x38, 5}, false},
		"PUBACK":            {[]byte{0x40, 2, 0, 1}, true},
		"PUBREC":            {[]byte{0x50, 2, 0, 1}, false},
		"SUBACK":            {[]byte{0x90, 3, 0, 1, 0x80}, true},
		"SUBACK two codes":  {[]byte{0x90, 4, 0, 1, 0, 0}, false},
		"UNSUBACK":          {[]byte{0xb0, 2, 0, 1}, false},
		"PINGRESP":          {[]byte{0xd0, 0, 0xd0, 0}, true},
		"PINGRESP long":     {[]byte{0xd0, 1}, false},
		"DISCONNECT":        {[]byte{0xe0, 0}, false},
		"CONNECT":           {[]byte{0x10, 10}, false},
		"reserved":          {[]byte{0xf0, 0}, false},
		"long length":       {[]byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, false},
		"many":              {bytes.Join([][]byte{{0x20, 2, 0, 0}, {0x90, 3, 0, 1, 0}, publishOf(5000), {0xd0, 0}, {0x40, 2, 0, 1}}, nil), true},
	} {
		for _, step := range []int{1, 3, len(c.stream) + 1} {
			var f frame
			var err error
			for rest := c.stream; len(rest) > 0 && err == nil; {
				n := min(step, len(rest))
				err = f.check(rest[:n])
				rest = rest[n:]
			}
			if (err == nil) != c.ok {
				t.Errorf("%s in steps of %d: %v, want ok=%v", name, step, err, c.ok)
			}
		}
	}
}

// FuzzFrame feeds what passes the frame check to the MQTT library: it must not
// panic, nor take a packet above the limit, however the bytes are cut up.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 0, 0xd0, 0})
	f.Add(publishOf(40))
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x90, 4, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, single frame
		err := whole.check(stream)
		var passed int
		for passed < len(stream) && single.check(stream[passed:passed+1]) == nil {
			passed++
		}
		if (err == nil) != (passed == len(stream)) {
			t.Fatalf("whole: %v, byte by byte %d of %d pass", err, passed, len(stream))
		}
		r := iotest.OneByteReader(bytes.NewReader(stream[:passed]))
		for {
			p, err := packets.ReadPacket(r)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnackPacket:
				if packets.ConnErrors[p.ReturnCode] == nil && p.ReturnCode != packets.Accepted {
					t.Fatalf("CONNACK code %d passes", p.ReturnCode)
				}
			case *packets.SubackPacket:
				if len(p.ReturnCodes) != 1 {
					t.Fatalf("SUBACK with %d codes passes", len(p.ReturnCodes))
				}
			case *packets.PublishPacket:
				if len(p.Payload) > MaxPacket || p.Qos != 0 {
					t.Fatalf("PUBLISH of %d bytes, QoS %d passes", len(p.Payload), p.Qos)
				}
			case *packets.PubackPacket, *packets.PingrespPacket:
			default:
				t.Fatalf("%T passes", p)
			}
		}
	})
}
