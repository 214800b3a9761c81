// Package talk lets one member at a time speak through the camera, and no one whom the
// room has not heard coming. docs/protocol.md 8.
//
// It owns who speaks now, the order in which a voice is let in, and what ends a talk: its
// right, its live session, silence, a fault of the speaker, a press of a button. It
// refuses while someone else speaks, while a press blocks it, and where the room can't be
// told. It decides nothing about rights: who calls Start has done that, and has logged it.
package talk
