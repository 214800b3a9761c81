// Package sdp reads a viewer's offer: it refuses what is not exactly of the form that
// docs/protocol.md 7.1 describes, and chooses the format under which the camera's H.264
// can be sent.
//
// It starts no goroutine and keeps nothing.
package sdp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of an offer. docs/protocol.md 7.1.
const (
	MaxCandidates = 64      // of one session, trickled ones included
	minTIAS       = 100_000 // bit/s; a lower wish of one viewer would spoil it for all
)

// Offer is an offer that has been checked.
type Offer struct {
	Video, Audio bool   // the viewer can receive it
	Speaks       bool   // its audio goes both ways
	FEC          bool   // it uses in-band FEC of Opus (RFC 7587 section 6.1: useinbandfec)
	Named        bool   // it names the synchronisation source of its audio
	SSRC         uint32 // which is this one (RFC 5576 section 4.1)
	TIAS         int    // bit/s that the viewer wants to get at most (RFC 3890); 0: it does not say
	Candidates   int    // how many there are

	formats     []format // of H.264
	description sdp.SessionDescription
}

// format is one offered H.264 payload type in packetization-mode 1.
type format struct {
	rtc.H264
	profileLevelID string
}

// Parse checks an offer against docs/protocol.md 7.1.
func Parse(text string) (Offer, error) {
	if len(text) > proto.MaxOffer {
		return Offer{}, fmt.Errorf("offer has %d bytes, at most %d are allowed", len(text), proto.MaxOffer)
	}
	var o Offer
	d := &o.description
	if err := d.UnmarshalString(text); err != nil {
		return Offer{}, fmt.Errorf("parse offer: %w", err)
	}
	if err := checkTransport(d); err != nil {
		return Offer{}, err
	}
	for _, m := range d.MediaDescriptions {
		if err := o.section(m); err != nil {
			return Offer{}, fmt.Errorf("%.20s section: %w", m.MediaName.Media, err)
		}
	}
	if o.Candidates > MaxCandidates {
		return Offer{}, errors.New("too many candidates")
	}
	return o, nil
}

// With returns the offer as if its video could be sent under one format alone, and
// again under that one's RTX, so that the answer names these and pion, which compares bytes of the profile, no other.
func (o *Offer) With(video rtc.H264) (string, error) {
	for _, m := range o.description.MediaDescriptions {
		if m.MediaName.Media == "video" && video.FMTP != "" {
			m.MediaName.Formats = []string{strconv.Itoa(int(video.PayloadType))}
			if video.RTX != 0 {
				m.MediaName.Formats = append(m.MediaName.Formats, strconv.Itoa(int(video.RTX)))
			}
		}
	}
	text, err := o.description.Marshal()
	return string(text), err
}

// checkTransport requires one transport for all sections, with one certificate.
func checkTransport(d *sdp.SessionDescription) error {
	if n := len(d.MediaDescriptions); n < 1 || n > 2 {
		return fmt.Errorf("%d media sections, want audio, video or both", n)
	}
	if _, ok := d.Attribute("ice-lite"); ok {
		return errors.New("an ICE-lite viewer can't control")
	}
	same := map[string]string{}
	kinds, mids := map[string]bool{}, map[string]bool{}
	for _, m := range d.MediaDescriptions {
		if err := checkSection(d, m, same); err != nil {
			return err
		}
		mid, _ := m.Attribute("mid")
		if mid == "" || len(mid) > 32 || mids[mid] || kinds[m.MediaName.Media] {
			return errors.New("sections must be one of each kind, with a mid of their own")
		}
		mids[mid], kinds[m.MediaName.Media] = true, true
	}
	if len(mids) > 1 && !bundled(d, mids) {
		return errors.New("sections are not bundled")
	}
	return nil
}

// checkSection checks the transport's attributes of a section, which the session
// may state for all. same keeps what all sections must agree on.
func checkSection(d *sdp.SessionDescription, m *sdp.MediaDescription, same map[string]string) error {
	if p := strings.Join(m.MediaName.Protos, "/"); p != "UDP/TLS/RTP/SAVPF" {
		return fmt.Errorf("protocol %.40q", p)
	}
	if _, ok := m.Attribute("rtcp-mux"); !ok {
		return errors.New("no rtcp-mux")
	}
	for _, a := range m.Attributes {
		switch a.Key {
		case "rid", "simulcast", "crypto":
			return fmt.Errorf("a=%s is not supported", a.Key)
		}
	}
	for key, check := range required {
		// A section may repeat the session's value, but not replace it: pion would look at
		// the session's.
		found, session := values(m.Attributes, key), values(d.Attributes, key)
		if !slices.Equal(found, session) {
			found = append(found, session...)
		}
		if len(found) != 1 || !check(found[0]) {
			return fmt.Errorf("a=%s is missing, repeated or malformed", key)
		}
		if v, ok := same[key]; ok && v != found[0] {
			return fmt.Errorf("a=%s differs between sections", key)
		}
		same[key] = found[0]
	}
	return nil
}

// required are the attributes that every offer has, and their form (RFC 8839
// section 5.4, RFC 8122 section 5, RFC 8842 section 5.2).
var required = map[string]func(string) bool{
	"ice-ufrag":   func(s string) bool { return proto.IsICE(s, proto.LeastUfrag) },
	"ice-pwd":     func(s string) bool { return proto.IsICE(s, proto.LeastPassword) },
	"setup":       func(s string) bool { return s == "actpass" },
	"fingerprint": isSHA256,
}

func isSHA256(fingerprint string) bool {
	algorithm, value, _ := strings.Cut(fingerprint, " ")
	b, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	return strings.EqualFold(algorithm, "sha-256") && err == nil && len(b) == 32 && len(value) == 95
}

func values(attributes []sdp.Attribute, key string) (l []string) {
	for _, a := range attributes {
		if a.Key == key {
			l = append(l, a.Value)
		}
	}
	return l
}

// bundled reports whether one BUNDLE group holds exactly the sections (RFC 9143).
func bundled(d *sdp.SessionDescription, mids map[string]bool) bool {
	groups := values(d.Attributes, "group")
	if len(groups) != 1 {
		return false
	}
	f := strings.Fields(groups[0])
	if len(f) != 1+len(mids) || f[0] != "BUNDLE" {
		return false
	}
	for _, mid := range f[1:] {
		if !mids[mid] {
			return false
		}
	}
	return true
}

func (o *Offer) section(m *sdp.MediaDescription) error {
	o.Candidates += len(values(m.Attributes, "candidate"))
	receives := true
	for _, a := range m.Attributes {
		if a.Key == "sendonly" || a.Key == "inactive" {
			receives = false
		}
	}
	switch m.MediaName.Media {
	case "audio":
		opus, fec := offersOpus(m)
		o.Audio, o.FEC = receives && opus, receives && fec
		o.Speaks = o.Audio && direction(m) == "sendrecv"
		o.SSRC, o.Named = source(m)
	case "video":
		o.Video = receives
		o.formats = offeredH264(m)
		o.TIAS = tias(m)
	default:
		return errors.New("only audio and video are served")
	}
	return nil
}

// direction returns a section's direction, or nothing if it states none or two.
func direction(m *sdp.MediaDescription) (direction string) {
	for _, a := range m.Attributes {
		switch a.Key {
		case "sendrecv", "sendonly", "recvonly", "inactive":
			if direction != "" {
				return ""
			}
			direction = a.Key
		}
	}
	return direction
}

// source returns the first synchronisation source that a section names.
func source(m *sdp.MediaDescription) (ssrc uint32, named bool) {
	for _, v := range values(m.Attributes, "ssrc") {
		id, _, _ := strings.Cut(v, " ")
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			return uint32(n), true
		}
	}
	return 0, false
}

// offersOpus reports whether Opus is offered, and whether with in-band FEC. If it is offered
// more than once, the first one counts, since that is the one that the answer takes.
func offersOpus(m *sdp.MediaDescription) (opus, fec bool) {
	formats := parametersByFormat(m)
	for _, v := range values(m.Attributes, "rtpmap") {
		if pt, codec, _ := strings.Cut(v, " "); strings.EqualFold(codec, "opus/48000/2") {
			return true, parameters(formats[pt])["useinbandfec"] == "1"
		}
	}
	return false, false
}

// parametersByFormat returns the parameters of each payload type that has any.
func parametersByFormat(m *sdp.MediaDescription) map[string]string {
	formats := map[string]string{}
	for _, v := range values(m.Attributes, "fmtp") {
		if pt, params, ok := strings.Cut(v, " "); ok {
			formats[pt] = params
		}
	}
	return formats
}

// offeredH264 lists the payload types that take fragments (RFC 6184 section 8.1:
// without packetization-mode a decoder takes none).
func offeredH264(m *sdp.MediaDescription) (l []format) {
	formats := parametersByFormat(m)
	rtx := map[string]uint8{} // by its parameters
	for _, v := range values(m.Attributes, "rtpmap") {
		pt, codec, ok := strings.Cut(v, " ")
		n, err := strconv.ParseUint(pt, 10, 7)
		if !ok || err != nil {
			continue
		}
		params := parameters(formats[pt])
		switch {
		case strings.EqualFold(codec, "rtx/90000"):
			rtx[formats[pt]] = uint8(n)
		case strings.EqualFold(codec, "H264/90000") && params["packetization-mode"] == "1":
			l = append(l, format{rtc.H264{PayloadType: uint8(n), FMTP: formats[pt]}, params["profile-level-id"]})
		}
	}
	for i := range l {
		l[i].RTX = rtx[rtc.RTXParameters(l[i].PayloadType)]
	}
	return l
}

func parameters(fmtp string) map[string]string {
	m := map[string]string{}
	for p := range strings.SplitSeq(fmtp, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		m[strings.ToLower(k)] = v
	}
	return m
}

// tias returns b=TIAS (RFC 3890), the lowest if there are several.
func tias(m *sdp.MediaDescription) int {
	lowest := 0
	for _, b := range m.Bandwidth {
		if b.Type != "TIAS" || b.Bandwidth == 0 {
			continue
		}
		v := int(min(b.Bandwidth, 1_000_000_000))
		if lowest == 0 || v < lowest {
			lowest = max(v, minTIAS)
		}
	}
	return lowest
}
