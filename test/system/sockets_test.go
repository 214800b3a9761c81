package system

import (
	"fmt"
	"net"
	"testing"

	"github.com/pion/turn/v5"

	"github.com/camd-project/camd/test/rig"
)

func TestSocketsExistOnlyForTheBrokerAndASession(t *testing.T) {
	r := rig.New(t, synthetic)
	r.Start()
	r.Online()
	camera := r.Owner()
	if n := r.OutboundOnly("idle"); n != 1 {
		t.Errorf("idle, camd holds %d sockets, want the broker's alone: %v", n, r.Sockets())
	}
	w := mustWatch(t, camera)
	w.picture(t)
	during := r.Sockets()
	if rig.Count(during, "udp") != 1 || rig.Count(during, "tcp") != 1 {
		t.Errorf("in a session camd holds %v, want the broker's connection and one UDP socket", during)
	}
	w.session.Close()
	r.Until("the session's socket is closed", func() bool { return len(r.Sockets()) == 1 })
	r.OutboundOnly("after a session")
}

func TestRelayOnlyOverTCPBindsNothing(t *testing.T) {
	relay := startTURN(t)
	r := rig.New(t, synthetic+fmt.Sprintf("[live]\nrelay_only = true\n[[live.ice_servers]]\nurls = [\"turn:%s?transport=tcp\"]\nusername = \"camd\"\ncredential = \"secret\"\n", relay))
	r.Start()
	r.Online()
	camera := r.Owner()
	w := mustWatch(t, camera)
	w.picture(t)
	if n := r.OutboundOnly("in a relayed session"); n != 2 {
		t.Errorf("in a relayed session camd holds %d sockets, want the broker's and the relay's: %v", n, r.Sockets())
	}
	w.session.Close()
	r.Until("the relay's connection is closed", func() bool { return len(r.Sockets()) == 1 })
}

// startTURN runs a TURN server that takes TCP on loopback, and returns its address.
func startTURN(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: "camd",
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			return a.Username, turn.GenerateAuthKey(a.Username, "camd", "secret"), a.Username == "camd"
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: l,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{
				RelayAddress: net.ParseIP(rig.Address()), Address: rig.Address(),
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close TURN server: %v", err)
		}
	})
	return l.Addr().String()
}
