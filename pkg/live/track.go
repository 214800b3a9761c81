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
	header rtp.Header // what is the same in every packet
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
	for _, e := range c.HeaderExtensions() {
		// Pictures are to be shown at once. An id beyond 14 would need the two-byte form
		// (RFC 8285 section 4.3), which not every viewer reads.
		if e.URI != rtc.PlayoutDelay || e.ID < 1 || e.ID > 14 {
			continue
		}
		none, err := rtp.PlayoutDelayExtension{}.Marshal()
		if err == nil {
			err = t.header.SetExtension(uint8(e.ID), none)
		}
		if err != nil {
			return webrtc.RTPCodecParameters{}, err
		}
	}
	return codecs[i], nil
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
