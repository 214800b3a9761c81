// Package pairing is the handshake by which someone who stands at the device
// enrols a client's keys: Noise_NNpsk0_25519_AESGCM_SHA256 keyed by the label's
// secret, then signed messages in a fixed order. It also owns the label's text.
// docs/protocol.md 3.
//
// It knows no transport: a Conn carries whole messages, over the local socket or
// over Bluetooth LE. It decides nothing about membership: the Enroll and Setup
// callbacks do, and only their success makes a receipt. The window in which pairing
// is allowed, and how many failures close it, are the caller's; the sentinel errors
// are there to be counted.
//
// It refuses a peer without the label's secret at the first message. A client
// verifies the device's identity key against the label before it sends anything
// of its own, so the secret alone puts nobody in the middle.
//
// Respond and Initiate run on the caller's goroutine. When ctx ends, a Conn that
// has a Close method is closed, which ends a blocked read; a Conn without one must
// be ended by the caller.
package pairing
