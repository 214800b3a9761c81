// Package live sends picture and sound to viewers over WebRTC.
//
// Each frame is cut into packets once and kept in a packet buffer (package packets).
// Each viewer has one goroutine that reads the buffers at its own pace, and all share
// one UDP socket, which is opened with the first session and closed with the last.
//
// The server refuses more than the configured number of sessions, offers that are not
// exactly of the form that docs/protocol.md 7.1 describes (package sdp), and viewers
// that can't decode the camera's H.264. The caller of Start has authorised the viewer
// and logged it: nothing is parsed, opened or sent before. Media that a viewer sends is
// dropped unparsed, unless Server.Hear was called for its session: then the Opus packets
// of its one source are passed on. They are not decoded and not kept.
//
// A session ends with its context, with the viewer's bye, with its network path, or when
// the viewer falls silent. When Session.Done is closed, the last write has been done: no
// media packet, retransmission or report leaves after that, not even from the queue of
// a stalled relay.
package live
