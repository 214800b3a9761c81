// Package live carries picture and sound to viewers over WebRTC.
//
// It owns the packet rings (every access unit and audio frame is packetised once,
// into a ring that is at the same time a joiner's start and the history that NACKs
// are served from), one goroutine for each viewer that walks the rings in its own
// place, and the one UDP socket of all sessions, which is made with the first
// session and closed with the last.
//
// It refuses more than the configured number of sessions, offers that are not
// exactly of the form that docs/protocol.md 7.1 describes, and viewers that can't
// decode the camera's H.264. Whoever calls Start has authorised the viewer and
// logged it: nothing is parsed, bound or sent before. What a viewer sends as media
// is dropped unparsed, unless Server.Hear lets its voice through: then the Opus
// packets of its one source are handed on, undecoded, and kept nowhere.
//
// A session ends with its context, with the viewer's bye, with its path, or when
// the viewer falls silent. When Session.Done is closed, the last write has been
// done: no media packet, retransmission or report leaves after it, not even out of
// the queue of a stalled relay.
package live
