package netlab

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/capture/capturetest"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/test/rig"
)

// What the camera of the story gives: H.264 that nobody can change, with key frames that the
// queue of the uplink can't hold.
const (
	storyRate    = 15 // pictures per second
	storyGOP     = 30 // pictures from one key frame to the next
	storySeconds = 8  // of the recording
	keyBytes     = 300e3
	otherBytes   = 8e3
)

// storyClip makes small pictures large by a message in each that decoders skip.
func storyClip(t *testing.T) string {
	t.Helper()
	cfg := capture.DefaultConfig()
	cfg.Source, cfg.Width, cfg.Height, cfg.Rate, cfg.KeyframeSeconds = capture.SourceSynthetic, 320, 240, 60, 1
	r, stop := capturetest.Start(t, cfg)
	defer r.Feed.Want()()
	var b bytes.Buffer
	for i, u := range r.Record(storyGOP) {
		if u.Key != (i == 0) {
			t.Fatalf("picture %d is a key frame: %v", i, u.Key)
		}
		b.Write(withMessage(u.Data, map[bool]int{true: keyBytes, false: otherBytes}[u.Key]))
	}
	stop()
	path := filepath.Join(t.TempDir(), "clip.h264")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withMessage puts an SEI message of unregistered user data (H.264 annex D.1.6) before the
// first slice of an access unit.
func withMessage(unit []byte, size int) []byte {
	const sei, userData = 6, 5
	message := []byte{0, 0, 0, 1, sei, userData}
	message = append(message, bytes.Repeat([]byte{0xff}, size/255)...)
	message = append(message, byte(size%255))
	message = append(message, bytes.Repeat([]byte{0x55}, size)...)
	message = append(message, 0x80)
	at := 0
	for {
		start := bytes.Index(unit[at:], []byte{0, 0, 1})
		if kind := unit[at+start+3] & 0x1f; kind == 1 || kind == sei-1 { // a slice
			at += start
			break
		}
		at += start + 3
	}
	if at > 0 && unit[at-1] == 0 {
		at-- // of a start code of four bytes
	}
	return bytes.Join([][]byte{unit[:at], message, unit[at:]}, nil)
}

// TestLargeKeyFramesCrossASlowUplink joins a camera on 12 Mbit/s, whose queue holds 225 kB, when
// it has up to a whole group of pictures to send, and records. Nothing is lost. What was old at
// the beginning may be left out, up to the next key frame, and on a busy machine, which learns
// late what the path carries, up to the one after it.
func TestLargeKeyFramesCrossASlowUplink(t *testing.T) {
	l := lab(t, Path{Delay: 10 * time.Millisecond}, Queue{Rate: 12_000_000, Max: 150 * time.Millisecond})
	viewer, _, err := l.Viewer(Queue{})
	if err != nil {
		t.Fatal(err)
	}
	r := rig.NewWith(t, fmt.Sprintf("[capture]\nsource = \"file\"\nfile = %q\nrate = %d\n[audio]\nsource = \"off\"\n", storyClip(t), storyRate), onInternet)
	r.Under = []string{"ip", "netns", "exec", CameraNetwork}
	r.Start()
	r.Online()
	folder := paired(t, r)
	out := filepath.Join(t.TempDir(), "out.mp4")
	cmd := l.Run(viewer, rig.Build(t, "camctl"), "--home", folder, "--json", "record", "--mute", "--seconds", fmt.Sprint(storySeconds), out)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("camctl record: %v\n%s", err, text)
	}
	var got struct {
		Seconds float64 `json:"seconds"`
		Frames  int     `json:"video_frames"`
		Lost    int     `json:"lost_packets"`
	}
	last := text[strings.LastIndex(strings.TrimSpace(string(text)), "\n")+1:]
	if err := json.Unmarshal(last, &got); err != nil {
		t.Fatalf("camctl record says %s: %v", text, err)
	}
	if all := int(got.Seconds*storyRate + 0.5); got.Seconds < storySeconds-1 || got.Frames <= all-2*storyGOP || got.Lost > 0 {
		t.Errorf("%d pictures of %d were recorded in %.1f s, and %d packets were lost", got.Frames, all, got.Seconds, got.Lost)
	}
	queue, err := l.Meter().Read()
	if err != nil {
		t.Fatal(err)
	}
	if queue.Dropped > 0 || queue.Bytes < keyBytes {
		t.Errorf("the uplink's queue says %+v", queue)
	}
}

// onInternet starts the broker where both sides reach it.
func onInternet(ca *pki.CA, address string) (rig.Broker, error) {
	cert, err := ca.Server(Internet)
	if err != nil {
		return nil, err
	}
	return broker.Start(broker.Config{Address: strings.Replace(address, "127.0.0.1", Internet, 1),
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: ca.Pool(), MinVersion: tls.VersionTLS13}})
}

// paired pairs an owner, and returns the folder of camctl.
func paired(t *testing.T, r *rig.Rig) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "home")
	h, err := home.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := h.Keys()
	if err != nil {
		t.Fatal(err)
	}
	r.OpenWindow("Anna")
	record, err := r.Join(keys, r.Label)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Save(record); err != nil {
		t.Fatal(err)
	}
	return folder
}
