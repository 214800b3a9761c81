package sdp

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/proto"
)

// chromium is the shape of an offer of Chromium 156 with one H.264 and Opus chosen.
//
//go:embed testdata/chromium.sdp
var chromium string

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestParseOffer(t *testing.T) {
	o, err := Parse(crlf(chromium))
	if err != nil {
		t.Fatal(err)
	}
	if !o.Video || !o.Audio || o.TIAS != 800000 || o.Candidates != 1 {
		t.Errorf("got %+v", o)
	}
	if !o.Speaks || !o.Named || o.SSRC != 3735928559 {
		t.Errorf("voice: %+v, want that of the first source", o)
	}
	if len(o.formats) != 2 || o.formats[0].PayloadType != 103 || o.formats[1].PayloadType != 109 || o.formats[1].profileLevelID != "42e01f" {
		t.Errorf("H.264: %+v, want payload types 103 and 109", o.formats)
	}
}

func TestParseOfferReadsDirectionAndWishes(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		want     func(Offer) bool
	}{
		"viewer shows nothing":       {"a=recvonly", "a=inactive", func(o Offer) bool { return !o.Video }},
		"viewer hears nothing":       {"a=sendrecv", "a=sendonly", func(o Offer) bool { return !o.Audio }},
		"no direction is sendrecv":   {"a=recvonly\n", "", func(o Offer) bool { return o.Video }},
		"viewer only hears":          {"a=sendrecv", "a=recvonly", func(o Offer) bool { return o.Audio && !o.Speaks }},
		"viewer only speaks":         {"a=sendrecv", "a=sendonly", func(o Offer) bool { return !o.Audio && !o.Speaks }},
		"two directions":             {"a=sendrecv", "a=sendrecv\na=recvonly", func(o Offer) bool { return !o.Speaks }},
		"several sources":            {"a=ssrc:37", "a=ssrc:17 cname:x\na=ssrc:37", func(o Offer) bool { return o.Named && o.SSRC == 17 }},
		"no direction of sound":      {"a=sendrecv\n", "", func(o Offer) bool { return !o.Speaks }},
		"source not named":           {"a=ssrc:", "a=x:", func(o Offer) bool { return o.Speaks && !o.Named }},
		"source is no number":        {"a=ssrc:3735928559", "a=ssrc:4294967296", func(o Offer) bool { return o.Speaks && !o.Named }},
		"no wish":                    {"b=TIAS:800000\n", "", func(o Offer) bool { return o.TIAS == 0 }},
		"b=AS is no TIAS":            {"b=TIAS:800000", "b=AS:800", func(o Offer) bool { return o.TIAS == 0 }},
		"a wish that would spoil it": {"b=TIAS:800000", "b=TIAS:1", func(o Offer) bool { return o.TIAS == minTIAS }},
		"the session says it too":    {"a=group", "a=setup:actpass\na=group", func(o Offer) bool { return o.Video }},
		"in-band FEC of Opus":        {"opus/48000/2", "OPUS/48000/2", func(o Offer) bool { return o.FEC }},
		"no in-band FEC":             {"useinbandfec=1", "useinbandfec=0", func(o Offer) bool { return o.Audio && !o.FEC }},
		"of another format":          {"a=fmtp:111", "a=fmtp:110", func(o Offer) bool { return o.Audio && !o.FEC }},
		"of what it doesn't hear":    {"a=sendrecv", "a=sendonly", func(o Offer) bool { return !o.FEC }},
		"other audio codec":          {"opus/48000/2", "PCMU/8000", func(o Offer) bool { return !o.Audio }},
		"other video codec":          {"H264/90000", "VP8/90000", func(o Offer) bool { return len(o.formats) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := Parse(crlf(strings.ReplaceAll(chromium, c.old, c.new)))
			if err != nil || !c.want(o) {
				t.Errorf("got %+v, %v", o, err)
			}
		})
	}
}

func TestParseOfferFindsRTX(t *testing.T) {
	for name, c := range map[string]struct {
		lines string
		want  [2]uint8 // of the payload types 103 and 109
	}{
		"none":                   {"", [2]uint8{}},
		"of one":                 {"a=rtpmap:104 rtx/90000\na=fmtp:104 apt=103\n", [2]uint8{104, 0}},
		"of both":                {"a=rtpmap:104 rtx/90000\na=fmtp:104 apt=103\na=rtpmap:110 RTX/90000\na=fmtp:110 apt=109\n", [2]uint8{104, 110}},
		"of another":             {"a=rtpmap:104 rtx/90000\na=fmtp:104 apt=107\n", [2]uint8{}},
		"of nothing":             {"a=rtpmap:104 rtx/90000\n", [2]uint8{}},
		"in a form of its own":   {"a=rtpmap:104 rtx/90000\na=fmtp:104 apt=103;rtx-time=3000\n", [2]uint8{}},
		"another codec says apt": {"a=rtpmap:104 red/90000\na=fmtp:104 apt=103\n", [2]uint8{}},
	} {
		o, err := Parse(crlf(strings.Replace(chromium, "m=audio", c.lines+"m=audio", 1)))
		if err != nil || len(o.formats) != 2 {
			t.Errorf("%s: %v, formats %+v", name, err, o.formats)
			continue
		}
		if got := [2]uint8{o.formats[0].RTX, o.formats[1].RTX}; got != c.want {
			t.Errorf("%s: RTX is %v, want %v", name, got, c.want)
		}
	}
	const line = "a=rtpmap:104 rtx/90000\na=fmtp:104 apt=103\n"
	o, err := Parse(crlf(strings.Replace(chromium, "m=audio", line+"m=audio", 1)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := o.With(o.formats[0].H264)
	if err != nil || !strings.Contains(text, "m=video 9 UDP/TLS/RTP/SAVPF 103 104\r\n") {
		t.Errorf("%v, offer as if it had one format:\n%s", err, text)
	}
}

func TestParseOfferRefuses(t *testing.T) {
	fp := "a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E\n"
	data := "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:2\na=rtcp-mux\n"
	for name, c := range map[string]struct{ old, new string }{
		"no SDP":                  {chromium, "hello"},
		"no section":              {chromium[strings.Index(chromium, "m="):], ""},
		"data channel":            {chromium, chromium + data},
		"data channel alone":      {"m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=application 9 UDP/TLS/RTP/SAVPF 111"},
		"two videos":              {"m=audio", "m=video"},
		"plain RTP":               {"UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111"},
		"no rtcp-mux":             {"a=rtcp-mux\n", ""},
		"no ufrag":                {"a=ice-ufrag:EOhS\n", ""},
		"ufrag of any bytes":      {"a=ice-ufrag:EOhS", "a=ice-ufrag:EOhS GET / "},
		"ufrag in UTF-8":          {"a=ice-ufrag:EOhS", "a=ice-ufrag:éééé"},
		"short ufrag":             {"a=ice-ufrag:EOhS", "a=ice-ufrag:EOh"},
		"long ufrag":              {"a=ice-ufrag:EOhS", "a=ice-ufrag:" + strings.Repeat("E", 257)},
		"password of any bytes":   {"a=ice-pwd:lpfWhnTiJv6nTKwUSS1UHFva", "a=ice-pwd:lpfWhnTiJv6nTKwUSS1UHFv="},
		"long password":           {"a=ice-pwd:lpfWhnTiJv6nTKwUSS1UHFva", "a=ice-pwd:" + strings.Repeat("l", 257)},
		"short password":          {"a=ice-pwd:lpfWhnTiJv6nTKwUSS1UHFva", "a=ice-pwd:short"},
		"no fingerprint":          {fp, ""},
		"two fingerprints":        {fp, fp + fp},
		"SHA-1":                   {"sha-256 49:66", "sha-1 49:66"},
		"short fingerprint":       {":23:5E", ":23"},
		"fingerprint without :":   {"49:66:", "4966:0"},
		"fingerprints differ":     {"a=mid:1", "a=mid:1\n" + fp},
		"SHA-1 for the session":   {"a=group", "a=fingerprint:sha-1 49:66\na=group"},
		"passive for the session": {"a=group", "a=setup:passive\na=group"},
		"passive":                 {"a=setup:actpass", "a=setup:passive"},
		"no mid":                  {"a=mid:1\n", ""},
		"one mid twice":           {"a=mid:1", "a=mid:0"},
		"not bundled":             {"a=group:BUNDLE 0 1\n", ""},
		"half bundled":            {"a=group:BUNDLE 0 1", "a=group:BUNDLE 0"},
		"bundled with a stranger": {"a=group:BUNDLE 0 1", "a=group:BUNDLE 0 2"},
		"ICE-lite":                {"a=group", "a=ice-lite\na=group"},
		"SDES keys":               {"a=mid:0", "a=mid:0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"},
		"simulcast":               {"a=mid:0", "a=mid:0\na=rid:1 send"},
		"too many candidates": {"a=mid:0", "a=mid:0" +
			strings.Repeat("\na=candidate:1 1 udp 1 192.0.2.7 5 typ host", MaxCandidates)},
		"too large": {"a=mid:0", "a=mid:0" + strings.Repeat("\na=x", proto.MaxOffer/4)},
	} {
		t.Run(name, func(t *testing.T) {
			if o, err := Parse(crlf(strings.ReplaceAll(chromium, c.old, c.new))); err == nil {
				t.Errorf("accepted: %+v", o)
			}
		})
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add(crlf(chromium))
	f.Add(crlf(strings.ReplaceAll(chromium, "a=group", "a=ice-lite\na=group")))
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Parse(s)
		if err != nil {
			return
		}
		if len(s) > proto.MaxOffer || o.Candidates > MaxCandidates || o.TIAS != 0 && o.TIAS < minTIAS {
			t.Errorf("accepted beyond bounds: %+v", o)
		}
	})
}

func TestProfileOf(t *testing.T) {
	for id, want := range map[string]profile{
		"42c01f": constrainedBaseline, "42e01f": constrainedBaseline, "42e028": constrainedBaseline, "424c0a": constrainedBaseline,
		"4d801f": constrainedBaseline, "58c01f": constrainedBaseline, "42001f": baseline, "42801f": baseline, "420c1f": baseline,
		"58801f": baseline, "4d001f": main, "4d4028": main, "4d4c28": main, "4d0828": main, "4d2028": main, "58401f": main,
		"58001f": extended, "640c1f": constrainedHigh, "644c1f": constrainedHigh, "640828": high, "640428": high,
		"640028": high, "64001F": high, "644028": highAsMain, "6e001f": unknownProfile, "": unsaid, "42": unknownProfile,
		"42e01fff": unknownProfile, "zzzzzz": unknownProfile,
	} {
		if got := profileOf(id); got != want {
			t.Errorf("profileOf(%q) = %d, want %d", id, got, want)
		}
	}
}

// TestChoose is the table of what cameras give and what viewers offer. "-" is an offer
// without profile-level-id. The usual offers of browsers show every camera.
func TestReplaces(t *testing.T) {
	for _, c := range []struct {
		other, chosen string
		want          bool
	}{
		{"42c01e", "42c01f", true},
		{"42c01f", "42c01f", true},
		{"42c01f", "42c01e", false},
		{"4d401e", "42c01f", false}, // Main
		{"4d4c1e", "4d401f", true},  // flags that mean nothing for Main
		{"42d00b", "42c00b", true},  // 1b and 1.1
		{"42d00b", "42c01f", true},
		{"42c00b", "42d00b", false},
		{"42c00a", "42d00b", true}, // 1 and 1b
		{"640009", "64000a", false},
		{"640009", "64000b", true},
		{"f4001e", "f4001f", true}, // High 4:4:4
		{"42c0", "42c0", false},
		{"", "", false},
	} {
		if got := Replaces(c.other, c.chosen); got != c.want {
			t.Errorf("%q for %q: %v", c.other, c.chosen, got)
		}
	}
}

func TestChoose(t *testing.T) {
	const chromium, safari, firefox = "42001f 42e01f 4d001f f4001f 64001f", "640c1f 42e01f", "42e01f"
	offered := func(ids string) (l []format) {
		for id := range strings.FieldsSeq(ids) {
			id = strings.Trim(id, "-")
			l = append(l, format{rtc.H264{FMTP: id}, id})
		}
		return l
	}
	for _, c := range []struct{ camera, offered, want string }{
		{"42c01f", chromium, "42e01f"}, // equivalent, though pion compares bytes
		{"42c01f", "42001f 64001f", "42001f"},
		{"42c01f", "64001f", "64001f"}, // a High decoder shows it
		{"42c01f", "644c1f", "644c1f"},
		{"42c01f", "424c1f", "424c1f"},
		{"42001f", firefox, "42e01f"},
		{"424c0a", chromium, "42e01f"},
		{"420c1f", chromium, "42001f"},
		{"420c1f", firefox, "42e01f"},
		{"4d0028", "42e01f 4d001f 64001f", "4d001f"},
		{"4d0028", "42e01f 64001f", "64001f"},
		{"4d0028", safari, "640c1f"},
		{"4d4028", chromium, "4d001f"},
		{"4d4c28", chromium, "4d001f"},
		{"4d4c28", safari, "640c1f"},
		{"4d4c28", firefox, ""}, // says that it shows Baseline alone
		{"4d0828", chromium, "4d001f"},
		{"4d0828", "4d4c28", "4d4c28"},
		{"640028", "42e01f 4d001f 64001f", "64001f"},
		{"640028", safari, "640c1f"},
		{"640028", firefox, ""},
		{"640828", chromium, "64001f"},
		{"644028", chromium, "64001f"},
		{"644028", "42e01f 4d001f", "4d001f"}, // it says that it keeps to Main
		{"644028", safari, "640c1f"},
		{"640c28", "64001f 640c1f", "640c1f"},
		{"644c28", "64001f", "64001f"},
		{"f4001f", chromium, "f4001f"}, // by profile_idc alone
		{"6e0028", "6e101f", "6e101f"},
		{"6e0028", chromium, ""},
		{"42c01f", "- 42e01f", "42e01f"},
		{"42c01f", "-", "-"},
		{"4d4c28", "-", "-"},
		{"640028", "42e01f -", "-"},
		{"640028", "zzzzzz", ""},
		{"", "42e01f", ""},
		{"", "zzzzzz", ""},
		{"42c01f", "", ""},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			o := Offer{formats: offered(c.offered)}
			got, ok := o.Choose(c.camera)
			if got.FMTP != strings.Trim(c.want, "-") || ok != (c.want != "") {
				t.Errorf("got %q, %v", got.FMTP, ok)
			}
		})
	}
}
