// Package envelope seals and opens what travels between a client and the device:
// a JWS (ES256, RFC 7515) inside a JWE (ECDH-ES with A256GCM, RFC 7516), both in
// compact form. It also owns the public forms of keys: JWK, key card and signed
// trio. docs/protocol.md 2 and 4.1.
//
// It refuses whatever is not exactly that: other algorithms, types, header
// members or serialisations, duplicate JSON names at any level, points off the
// curve, more than proto.MaxMessage bytes. It never trusts a key that a message
// brings along, except where the message proves possession of the very key that
// it shows (key cards, 2.3).
//
// It knows no audience, epoch, nonce or sequence: those are the caller's to
// check. It holds no state and starts nothing. Private signing keys come as
// crypto.Signer, so that a TPM can stand behind them; the two ECDH private keys
// are in memory.
package envelope
