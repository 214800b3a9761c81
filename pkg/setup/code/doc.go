// Package code is what a phone or a laptop shows a camera to set it up without any
// radio: what the camera needs, sealed under the secret of its label, as a series of
// short texts that are drawn as QR codes one after the other. docs/protocol.md 3.12.
//
// It is pure: it knows no picture, no window and no list of members. A caller that gets
// a Body out of Open knows that its maker held the label's secret, and no more. It
// refuses whatever is not exactly what Seal makes: unknown members, other orders or
// lengths of CBOR, texts that are too long, parts that don't fit together.
package code
