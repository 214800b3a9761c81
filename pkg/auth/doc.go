// Package auth decides who may do what. It owns the household keys and their epoch, the
// members, the pairing window, and Gate, the only way in for a request.
// docs/protocol.md 2, 5 and 11.
//
// It refuses everything that is not a fresh request, signed by an enrolled key for this
// device and this epoch, from a member that has the scopes; and it starts nothing before
// its entry in the access log is durable. It counts what it refuses without an answer. A
// damaged store begins a new epoch, in which nobody is a member; a store that can't be
// read opens nothing and wipes nothing.
//
// Open makes the parts in this order, each from those before it:
//
//	keys          the household keys of the epoch
//	members       who is enrolled; a snapshot that readers use without a lock
//	policy        who may do what now, with settings and trusted time
//	sessions      what members see and hear at this moment
//	notices       which entries of the log each member has still to get
//	journal       the access log
//	queues        nonces, repetition and order of requests
//	changes       changes of members, settings and privacy mode, one at a time
//
// NewGate makes the Gate of these and of what the daemon gives it. When the context of
// Gate.Run ends, it takes no request any more, every right ends, and Run returns when all
// sessions have ended and their ends are logged. Authority.Close comes after that.
package auth
