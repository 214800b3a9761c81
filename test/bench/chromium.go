package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/chromium"
)

// senderPage sends what Chromium takes for its camera. Nothing but H.264 is offered, and
// encoded with at most so many bits as camd's encoder.
const senderPage = `<!doctype html><html lang="en"><title>sender</title><link rel="icon" href="data:,">
<script>
let camera;
const open = async () => { camera = await navigator.mediaDevices.getUserMedia({ video: true }); return true; };
const answer = async (offer, bps, iceServers) => {
	const pc = new RTCPeerConnection({ iceServers });
	await pc.setRemoteDescription({ type: 'offer', sdp: offer });
	const sender = pc.addTrack(camera.getVideoTracks()[0], camera);
	const h264 = RTCRtpSender.getCapabilities('video').codecs.filter((c) => c.mimeType === 'video/H264' || c.mimeType === 'video/rtx');
	pc.getTransceivers()[0].setCodecPreferences(h264);
	await pc.setLocalDescription();
	const parameters = sender.getParameters();
	parameters.encodings[0].maxBitrate = bps;
	await sender.setParameters(parameters);
	sender.transport.onstatechange = () => { if (sender.transport.state === 'closed') pc.close(); };
	pc.onconnectionstatechange = () => { if (pc.connectionState === 'failed') pc.close(); };
	await new Promise((done) => {
		const look = () => { if (pc.iceGatheringState === 'complete') done(); };
		pc.onicegatheringstatechange = look;
		look();
	});
	return pc.localDescription.sdp;
};
</script></html>`

// chromiumSender is libwebrtc's sender: Chromium, whose camera is a file of raw pictures.
type chromiumSender struct {
	tab   *tab
	kbps  int
	relay string
}

func sendChromium(args []string) error {
	o, err := parseSender(args)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // pages of loopback may use a camera
	if err != nil {
		return err
	}
	page := &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, senderPage)
	})}
	go func() { _ = page.Serve(l) }()
	b := &bench{ctx: context.Background()}
	t, err := b.open("chromium", "http://"+l.Addr().String()+"/",
		chromedp.Flag("use-fake-device-for-media-stream", fmt.Sprintf("fps=%d", o.rate)), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", o.clip), chromedp.Flag("disable-features", "WebRtcHideLocalIpsWithMdns"))
	if err != nil {
		return err
	}
	if _, err := eval[bool](t, `open()`); err != nil {
		t.close()
		return err
	}
	defer t.close()
	return serve(&chromiumSender{tab: t, kbps: o.kbps, relay: o.relay}, o.listen)
}

func (s *chromiumSender) answer(offer string, _ bool) (string, error) {
	servers := `[]`
	if s.relay != "" {
		servers = fmt.Sprintf(`[{ urls: %q, username: %q, credential: %q }]`, s.relay, relayUser, relayPassword)
	}
	return eval[string](s.tab, fmt.Sprintf(`answer(%q, %d, %s)`, offer, s.kbps*1000, servers))
}

func (s *chromiumSender) frames() uint64                   { return 0 }
func (s *chromiumSender) delays() map[string]time.Duration { return nil }

// hasChromium reports whether Debian's is installed.
func hasChromium() bool {
	_, err := os.Stat(chromium.Path)
	return err == nil
}
