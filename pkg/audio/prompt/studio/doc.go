// Package studio makes archives of spoken prompts: from texts that espeak-ng speaks,
// or from a maker's recordings.
//
// It brings every clip to 48 kHz mono, cuts the silence off, gives all the same
// loudness, encodes Opus and makes the chimes. It refuses an archive that lacks a
// clip which sentences need. It runs on the maker's machine only, and needs cgo for
// the encoder. The same espeak-ng on the same kind of processor gives the same bytes.
package studio
