package rig

import "github.com/camd-project/camd/pkg/proto"

// Address is an IPv4 address of this machine that either side of a session may have:
// one of its network, or loopback where there is nothing else.
func Address() string {
	for _, p := range proto.OwnNetworks() {
		if a := p.Addr(); a.Is4() && a.IsGlobalUnicast() {
			return a.String()
		}
	}
	return "127.0.0.1"
}
