// Package proto holds the words that the device and its clients share: names
// of topics and operations, the claims of every signed message, scopes, and the
// refusal codes with the sentence a person reads.
//
// It owns no behaviour beyond building and checking these words, imports only
// the standard library, and is imported by every side of the protocol. The
// numbered clauses that comments cite are those of docs/protocol.md.
package proto
