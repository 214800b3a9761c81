package live

import (
	"errors"
	"slices"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/rtc"
)

// track is one stream to one viewer, as a webrtc.TrackLocal. pion calls Bind with what
// was negotiated while the answer is applied.
type track struct {
	kind   webrtc.RTPCodecType
	mime   string
	id     string
	stream string // both tracks' media stream and CNAME, so that they play in step

	ssrc   uint32
	writer webrtc.TrackLocalWriter
	header rtp.Header  // what is the same in every packet
	again  *rtp.Header // the same of RTX (RFC 4588); nil: it was not agreed on
	number []byte      // where the transport-wide number is in both; nil: there is none
}

var errNoCodec = errors.New("the codec was not agreed on")

// Bind takes what was negotiated.
func (t *track) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := c.CodecParameters()
	i := slices.IndexFunc(codecs, func(p webrtc.RTPCodecParameters) bool { return strings.EqualFold(p.MimeType, t.mime) })
	if i < 0 {
		return webrtc.RTPCodecParameters{}, errNoCodec
	}
	t.ssrc, t.writer = uint32(c.SSRC()), c.WriteStream()
	t.header = rtp.Header{Version: 2, PayloadType: uint8(codecs[i].PayloadType), SSRC: t.ssrc}
	if err := t.extend(c.HeaderExtensions(), codecs[i].RTCPFeedback); err != nil {
		return webrtc.RTPCodecParameters{}, err
	}
	apt := rtc.RTXParameters(t.header.PayloadType)
	for _, p := range codecs {
		// A source of its own: under the same one, both would use the same AES-GCM nonces.
		if strings.EqualFold(p.MimeType, webrtc.MimeTypeRTX) && p.SDPFmtpLine == apt && c.SSRCRetransmission() != c.SSRC() {
			again := t.header
			again.PayloadType, again.SSRC = uint8(p.PayloadType), uint32(c.SSRCRetransmission())
			t.again = &again
		}
	}
	return codecs[i], nil
}

// extend adds the header extensions that were agreed on.
func (t *track) extend(l []webrtc.RTPHeaderExtensionParameter, feedback []webrtc.RTCPFeedback) error {
	for _, e := range l {
		// An id beyond 14 would need the two-byte form (RFC 8285 section 4.3), which not
		// every viewer reads.
		if e.ID < 1 || e.ID > 14 {
			continue
		}
		var content []byte
		switch {
		case e.URI == rtc.PlayoutDelay: // pictures are to be shown at once
			content = make([]byte, 3)
		case e.URI == rtc.TransportCC && slices.Contains(feedback, webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}):
			t.number = make([]byte, 2)
			content = t.number
		default:
			continue
		}
		if err := t.header.SetExtension(uint8(e.ID), content); err != nil {
			return err
		}
	}
	return nil
}

// Unbind does nothing: the viewer's goroutine has ended by then.
func (t *track) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID names the track.
func (t *track) ID() string { return t.id }

// RID is for simulcast, which camd does not have.
func (t *track) RID() string { return "" }

// StreamID names the stream that both tracks belong to.
func (t *track) StreamID() string { return t.stream }

// Kind is audio or video.
func (t *track) Kind() webrtc.RTPCodecType { return t.kind }
