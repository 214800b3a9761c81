package live

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/pion/srtp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/live/rtc"
	"github.com/camd-project/camd/pkg/media"
)

// The stages of a frame's way, for docs/performance.md, after package packets'
// BenchmarkPacketize; BenchmarkBatch is the last.
// The frame is one of 1080p30 at 4 Mbit/s.
const benchFrame = 16_600 // bytes

func BenchmarkRead(bench *testing.B) { benchRead(bench, discardWire{}) }

func BenchmarkReadAndEncrypt(bench *testing.B) {
	for name, profile := range map[string]srtp.ProtectionProfile{
		"AES-GCM":     srtp.ProtectionProfileAeadAes128Gcm,
		"AES-CM-SHA1": srtp.ProtectionProfileAes128CmHmacSha1_80,
	} {
		bench.Run(name, func(bench *testing.B) { benchRead(bench, encryptor(bench, profile)) })
	}
}

// benchRead measures what a viewer costs for each frame. Frames are published
// while the clock stands.
func benchRead(bench *testing.B, w webrtc.TrackLocalWriter) {
	b := packets.New(90000, true)
	unit := &media.AccessUnit{Data: appendUnit(nil, true, benchFrame), Key: true}
	publish := func() {
		unit.PTS = media.Now()
		b.AppendUnit(unit)
	}
	v := testViewer(w, b)
	v.near.Store(true)
	publish()
	v.tracks[0].cursor.Join(false)
	now := media.Now()
	send := func() {
		now += 33 * time.Millisecond
		v.turn(bench.Context(), now)
	}
	for range 10_000 { // until every slot has its buffer
		publish()
		send()
	}
	from := v.counters.packets.Load()
	bench.ReportAllocs()
	for bench.ResetTimer(); bench.Loop(); {
		bench.StopTimer()
		publish()
		bench.StartTimer()
		send()
	}
	perPacket(bench, v.counters.packets.Load()-from)
}

func perPacket(bench *testing.B, packets uint64) {
	bench.ReportMetric(float64(bench.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

// encryptor is pion's SRTP in front of a connection that takes everything.
func encryptor(t testing.TB, profile srtp.ProtectionProfile) webrtc.TrackLocalWriter {
	t.Helper()
	key, salt := make([]byte, 16), make([]byte, 14)
	if profile == srtp.ProtectionProfileAeadAes128Gcm {
		salt = salt[:12]
	}
	here, _ := net.Pipe()
	quiet := rtc.Log(slog.New(slog.DiscardHandler), nil)
	keys := srtp.SessionKeys{LocalMasterKey: key, LocalMasterSalt: salt, RemoteMasterKey: key, RemoteMasterSalt: salt}
	s, err := srtp.NewSessionSRTP(sink{here}, &srtp.Config{Keys: keys, Profile: profile, LoggerFactory: quiet})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	w, err := s.OpenWriteStream()
	must(t, err)
	return w
}

// sink is a connection on which nothing comes and all is sent.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }
