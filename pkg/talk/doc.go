// Package talk lets one member at a time speak through the camera, after the room has
// heard who it is. docs/protocol.md 8.
//
// It owns the floor: who speaks now, the order in which a voice is let in, and what ends a
// talk, which is its right, its live session, silence, a fault of the speaker, or a press
// of a button. It refuses while someone else speaks, while a press blocks it, and where
// nothing can be announced. It decides nothing about rights: the caller of Start has done
// that, and has logged it.
package talk
