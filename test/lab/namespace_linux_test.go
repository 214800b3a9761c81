package lab

import (
	"net"
	"slices"
	"testing"
)

func TestNamespaceHoldsItsOwnInterfacesOnly(t *testing.T) {
	n := namespace(t)
	var names []string
	var listener net.Listener
	n.Do(func() {
		interfaces, err := net.Interfaces()
		must(t, err)
		for _, i := range interfaces {
			names = append(names, i.Name)
		}
		listener, err = net.Listen("tcp", HostAddress.Addr().String()+":0")
		must(t, err)
	})
	defer listener.Close()
	if want := []string{"lo", "tap0"}; !slices.Equal(names, want) {
		t.Errorf("interfaces %v, want %v", names, want)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("what listens in the namespace can be reached from outside")
	}
}
