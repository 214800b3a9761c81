package live

import "github.com/camd-project/camd/pkg/live/udp"

// haste says whether what a viewer sends is read as soon as it comes, which wakes the
// processor each time, or in the rhythm in which pictures leave.
type haste struct {
	socket *udp.Socket // nil: everything goes through relays
	done   func()      // nil: it is read in that rhythm
}

// set is for one goroutine at a time.
func (h *haste) set(on bool) {
	switch {
	case h.socket == nil:
	case on && h.done == nil:
		h.done = h.socket.Hurry()
	case !on && h.done != nil:
		h.done()
		h.done = nil
	}
}

// chooseHaste is called once a second. What is lost on the way to a viewer must soon leave
// again, and reports tell most of a path that is slow. So only a viewer in the same network
// that has not asked for anything again waits.
func (v *viewer) chooseHaste() {
	nacks := v.counters.nacks.Load()
	v.haste.set(!v.near.Load() || nacks != v.nacked)
	v.nacked = nacks
}
