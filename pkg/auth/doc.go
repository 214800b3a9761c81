// Package auth decides who may do what. It owns the household's keys and their
// epoch, the members, the pairing window, and Gate: the one way in for a request. docs/protocol.md 2, 5 and 11.
//
// It refuses everything that is not a fresh request, signed by an enrolled key
// for this device and this epoch, from a member who holds the scopes; and it
// starts nothing whose entry in the access log is not durable. What it refuses
// without an answer is counted. A damaged store begins a new epoch, under which
// nobody is a member; a store that can't be read opens nothing and wipes nothing.
//
// Gate.Run ends when its context does: no request is taken any more, every right
// ends, and Run returns when all that was living under one has ended and its end
// is logged. Authority.Close comes after that.
package auth
