package live

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

var dict = []string{
	"a=cryptex", "a=ice-options:trickle ice2 renomination", "a=ssrc:1 cname:x", "a=ssrc:4294967296 cname:x", "a=ssrc:0 msid:a b",
	"a=ssrc-group:FID 1 2", "a=ssrc-group:SIM 1 2 3", "a=msid:a b", "a=msid:", "a=extmap:0 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	"a=extmap:15/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", "a=extmap:99999999999999999999 x", "a=extmap:-1 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	"a=extmap:300 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	"a=inactive", "a=recvonly", "a=sendonly", "a=sendrecv", "a=candidate:1 1 udp 1 127.0.0.1 1 typ host", "a=candidate:1 1 tcp 1 127.0.0.1 9 typ host tcptype passive",
	"a=candidate:1 1 udp 1 foo.example 1 typ host", "a=candidate:1 1 udp 1 foo.local 1 typ host", "a=candidate:", "a=candidate:x y z", "a=candidate:1 2 udp 4294967296 ::1 65536 typ relay raddr 0.0.0.0 rport 0",
	"a=candidate:1 1 udp 1 fe80::1%eth0 1 typ host", "a=candidate:1 1 udp 1 ::ffff:127.0.0.1 1 typ srflx raddr x rport y",
	"a=end-of-candidates", "a=rtpmap:96 rtx/90000", "a=fmtp:96 apt=96", "a=fmtp:97 apt=96", "a=fmtp:102 apt=102", "a=rtcp-fb:* nack", "a=rtcp-fb:102", "a=rtcp-fb:",
	"a=rtpmap:", "a=rtpmap:102", "a=fmtp:", "a=fmtp:102 profile-level-id=zzzzzz;packetization-mode=1", "a=fmtp:102 profile-level-id=42;packetization-mode=1", "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	"a=setup:active", "a=setup:passive", "a=setup:holdconn", "a=ice-lite", "a=ice-ufrag:abcd", "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a=fingerprint:sha-1 AA", "a=fingerprint:sha-1", "a=fingerprint:",
	"a=group:BUNDLE", "a=group:BUNDLE 0 1", "a=group:LS 0 1", "a=group:", "a=mid:0", "a=mid:video", "a=mid:", "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-rsize", "a=rtcp-mux-only",
	"b=TIAS:99999999999999999999", "b=TIAS:18446744073709551615", "b=AS:-1", "c=IN IP4 256.1.1.1", "c=IN IP6 ::1/1/1", "m=video 0 UDP/TLS/RTP/SAVPF 102", "m=audio 65536 UDP/TLS/RTP/SAVPF 111",
	"m=video 9/2 UDP/TLS/RTP/SAVPF", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000", "a=sctp-init:AAAA", "a=simulcast:send h;l", "a=rid:h send", "a=msid-semantic: WMS *", "t=0 0", "r=1 1 1", "z=0 0", "k=prompt", "a=maxptime:0", "a=ptime:-1",
	"a=identity:x", "a=tls-id:x", "a=extmap-allow-mixed", "a=bundle-only", "s=", "v=1", "o=- 1 1 IN IP4 x", "a=imageattr:* recv *",
}

func mutate(s string, r *rand.Rand) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\r\n")
	for range 1 + r.IntN(3) {
		i := r.IntN(len(lines))
		switch r.IntN(7) {
		case 0, 1, 2:
			d := dict[r.IntN(len(dict))]
			lines = append(lines[:i], append([]string{d}, lines[i:]...)...)
		case 3:
			lines = append(lines[:i:i], lines[i+1:]...)
		case 4:
			lines[i] = dict[r.IntN(len(dict))]
		case 5:
			b := []byte(lines[i])
			if len(b) > 3 {
				b[2+r.IntN(len(b)-2)] = byte(" 019:/;=,-*Az\x00\xff"[r.IntN(15)])
			}
			lines[i] = string(b)
		case 6:
			j := r.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
		}
		if len(lines) < 3 {
			break
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

func TestZZMutate(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.connect = 50 * time.Millisecond
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Log("seed", seed)
	p := newPeer(t, peerOptions{})
	seeds := []string{crlf(chromium), p.offer(peerOptions{})}
	end := time.Now().Add(60 * time.Second)
	n, ok := 0, 0
	slow := time.Duration(0)
	codes := map[string]int{}
	for time.Now().Before(end) {
		text := mutate(seeds[rnd.IntN(2)], rnd)
		began := time.Now()
		os.WriteFile("/tmp/zz-last.sdp", []byte(text), 0o600)
		s, answer, err := r.Start(t.Context(), Offer{Client: "c", Session: fmt.Sprint(n), SDP: text, View: true, Listen: rnd.IntN(2) == 0, Signal: func(proto.SignalKind, any) {}})
		slow = max(slow, time.Since(began))
		n++
		if err == nil {
			ok++
			if rnd.IntN(4) == 0 {
				<-s.Done()
			} else {
				_ = r.Bye("c", s.offer.Session)
				<-s.Done()
			}
			_ = answer
		} else {
			if codes[err.Error()]++; codes[err.Error()] == 1 {
				t.Logf("%v", err)
			}
		}
	}
	t.Log(n, ok, slow, codes)
}
