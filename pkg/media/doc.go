// Package media holds what travels from the sources to whoever sends or keeps
// it: access units of H.264, audio frames of Opus, the clock both are stamped
// with, and the feed that passes them from one producer to several consumers.
//
// It owns the buffers: both kinds of frame are immutable once published,
// reference-counted, and go back to the pool they came from when the last holder
// releases them, so that the steady state allocates nothing. It refuses nothing
// and starts no goroutine.
package media
