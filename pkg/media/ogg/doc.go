// Package ogg reads the packets of an Ogg Opus file (RFC 3533, RFC 7845).
//
// A Reader owns one page at a time, at most 64 KB, and one packet. It gives what the
// file holds, undecoded and uncut: pre-skip and the trimming at the end are left to
// whoever plays. It skips other streams of the same file, and refuses damaged pages,
// packets that no Opus encoder makes, and more than the two channels of mapping
// family 0. It ends with the stream, or with the file.
package ogg

import "errors"

// What a caller may want to match.
var (
	ErrNotOpus = errors.New("not an Ogg Opus file")
	ErrDamaged = errors.New("damaged")
	ErrFamily  = errors.New("more than two channels")
)
