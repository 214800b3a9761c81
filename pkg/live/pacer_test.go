package live

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"github.com/camd-project/camd/pkg/live/packets"
	"github.com/camd-project/camd/pkg/media"
)

// departure is a packet that left.
type departure struct {
	at    time.Duration
	size  int
	sound bool
	time  uint32 // RTP
	rate  int    // bit/s that might leave
}

// clocked is a wire that notes when each packet leaves.
type clocked struct {
	sound bool
	v     *viewer // whose goroutine writes
	log   *[]departure
}

func (c clocked) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	*c.log = append(*c.log, departure{media.Now(), h.MarshalSize() + len(payload) + 16, c.sound, h.Timestamp, c.v.rate()})
	return len(payload), nil
}

func (clocked) Write([]byte) (int, error) { return 0, nil }

// pacedViewer runs a viewer of both tracks in a bubble of package synctest. It returns
// what has left when feed has returned and a second more has passed.
func pacedViewer(t *testing.T, near bool, feed func(video, audio *packets.Buffer)) (log []departure) {
	synctest.Test(t, func(t *testing.T) {
		video, audio := packets.New(90000, true), packets.New(48000, false)
		v := testViewer(nil, video)
		v.tracks[0].track.writer = clocked{false, v, &log}
		v.near.Store(near)
		sound := &track{kind: 1, writer: clocked{true, v, &log}, ssrc: 9, header: rtp.Header{Version: 2, SSRC: 9}}
		v.tracks = append(v.tracks, newTrackSender(sound, v.path, audio))
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if err := v.run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		synctest.Wait()
		feed(video, audio)
		time.Sleep(time.Second)
		cancel()
		done.Wait()
	})
	return log
}

// pictures are two seconds of 30 pictures, the first of each second a key frame of 200
// packets, with sound every 20 ms.
func pictures(video, audio *packets.Buffer) {
	for ms := range 2000 {
		if ms%33 == 0 {
			n := 8
			if ms%990 == 0 {
				n = 200
			}
			frame(video, media.Now(), ms%990 == 0, n, 1100)
		}
		if ms%20 == 0 {
			audio.AppendAudio(&media.AudioFrame{Data: make([]byte, 80), PTS: media.Now()})
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWhatLeavesInAnyWindowIsBounded is the property that keeps a path's queue short.
func TestWhatLeavesInAnyWindowIsBounded(t *testing.T) {
	const window = 10 * time.Millisecond
	for name, near := range map[string]bool{"a path of which nothing is known": false, "the same network": true} {
		t.Run(name, func(t *testing.T) {
			log := pacedViewer(t, near, pictures)
			from, bytes, video := 0, 0, 0
			for i, d := range log {
				bytes += d.size
				for ; d.at-log[from].at > window; from++ {
					bytes -= log[from].size
				}
				fastest := 0
				for _, x := range log[max(from-1, 0) : i+1] {
					fastest = max(fastest, x.rate)
				}
				rate := float64(fastest) / 8
				most := int(rate*window.Seconds()+min(rate*batchTime.Seconds(), mostBatch)) + 2*1200
				first := d.at-log[0].at <= window // and what may leave before anything is known
				if bytes > most && (!first || bytes > most+firstBatch) {
					t.Fatalf("%d bytes in %v, want at most %d", bytes, window, most)
				}
				if !d.sound {
					video++
				}
			}
			if want := 3*200 + 58*8; video != want {
				t.Errorf("%d packets of pictures, want %d", video, want)
			}
		})
	}
}

// TestSoundIsNotBehindAKeyFrame: sound leaves when it comes, at most a batch of a
// picture later.
func TestSoundIsNotBehindAKeyFrame(t *testing.T) {
	var audio *packets.Buffer
	log := pacedViewer(t, false, func(v, a *packets.Buffer) {
		audio = a
		pictures(v, a)
	})
	n := 0
	var first time.Duration
	for _, d := range log {
		if !d.sound {
			continue
		}
		if n++; n == 1 {
			first = d.at - time.Duration(d.time-audio.Timestamp(0))*time.Second/48000
		}
		late := d.at - first - time.Duration(d.time-audio.Timestamp(0))*time.Second/48000
		if late < -time.Millisecond || late > batchTime {
			t.Errorf("sound %d left %v late", n, late)
		}
	}
	if n != 100 {
		t.Errorf("%d packets of sound, want 100", n)
	}
}

// TestInTheSameNetworkAPictureLeavesAtOnce: 32 KiB each millisecond, as the receiver's
// socket can take.
func TestInTheSameNetworkAPictureLeavesAtOnce(t *testing.T) {
	log := pacedViewer(t, true, func(video, _ *packets.Buffer) { frame(video, media.Now(), true, 100, 1100) })
	if len(log) != 100 {
		t.Fatalf("%d packets, want 100", len(log))
	}
	if took := log[99].at - log[0].at; took > 4*time.Millisecond {
		t.Errorf("a key frame of 110 kB left in %v, want 4 ms", took)
	}
}
