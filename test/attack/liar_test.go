package attack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
)

// steered is the configuration of a camera whose pictures are so full of detail that its
// encoder always uses up its bitrate, 800 kbit/s. low says whether there is a second stream,
// floor is the least of the first one in kbit/s.
func steered(t *testing.T, low bool, floor int) string {
	t.Helper()
	const width, height, frames, detail = 320, 180, 16, 4
	text := []byte("YUV4MPEG2 W320 H180 F15:1 Ip C420jpeg\n")
	random := rand.New(rand.NewPCG(1, 2))
	for range frames {
		text = append(text, "FRAME\n"...)
		for range height / detail {
			var line []byte
			for range width / detail {
				line = append(line, bytes.Repeat([]byte{byte(random.IntN(60) + 98)}, detail)...)
			}
			text = append(text, bytes.Repeat(line, detail)...)
		}
		text = append(text, bytes.Repeat([]byte{128}, width*height/2)...)
	}
	path := filepath.Join(t.TempDir(), "detail.y4m")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("[capture]\nsource = \"file\"\nfile = %q\nwidth = 320\nheight = 180\nrate = 15\nbitrate_kbps = 800\n"+
		"[capture.low]\nenabled = %v\nheight = 180\nbitrate_kbps = 200\n[live]\nmin_bitrate_kbps = %d\n", path, low, floor)
}

// pictures are those that an honest member is sent.
type pictures struct {
	h *house

	mu sync.Mutex
	l  []client.Frame
}

// watchesAll has a member watch until the end of the test, and waits until the first pictures,
// which are unusually large, are over.
func (h *house) watchesAll(who *client.Camera) *pictures {
	h.t.Helper()
	p := &pictures{h: h}
	s, err := who.Watch(h.t.Context(), client.WatchOptions{Video: func(f client.Frame) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.l = append(p.l, f)
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(s.Close)
	p.next(30)
	return p
}

// next waits for n more pictures: the member's stream goes on.
func (p *pictures) next(n int) []client.Frame {
	p.h.t.Helper()
	count := func() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.l) }
	from := count()
	p.h.Until(fmt.Sprintf("the honest member is sent %d more pictures", n), func() bool { return count() >= from+n })
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.l[from : from+n]
}

// size is how many bytes a picture has on average that is no key frame.
func size(l []client.Frame) float64 {
	bytes, n := 0, 0
	for _, f := range l {
		if !f.Key {
			bytes += len(f.Data)
			n++
		}
	}
	return float64(bytes) / float64(max(n, 1))
}

// seconds is the time from the first picture to the last one, on the camera's clock.
func seconds(l []client.Frame) float64 {
	return float64(l[len(l)-1].Timestamp-l[0].Timestamp) / 90000
}

// asBefore fails if the pictures beside the liar are smaller than those before, by more than
// an encoder does by itself, or if there are more than two key frames in a second.
func asBefore(t *testing.T, shown, before []client.Frame, share float64) {
	t.Helper()
	n := 0
	for _, f := range shown {
		if f.Key {
			n++
		}
	}
	// Their limit is by the wall clock, and pictures that were up to a second late catch up.
	if most := 2*seconds(shown) + 4; float64(n) > most {
		t.Errorf("%d of %d pictures are key frames, want at most %.0f", n, len(shown), most)
	}
	// A machine that is busier than before leaves pictures out: the bytes of a second become
	// fewer until the encoder has heard of it, and those of a picture more from then on.
	got := max(size(shown)/size(before), size(shown)/seconds(shown)/(size(before)/seconds(before)))
	if got < 0.7*share {
		t.Errorf("the honest member's pictures have %.2f of their size before, want %.2f", got, share)
	} else {
		t.Logf("size %.2f of before, %d of %d pictures are key frames", got, n, len(shown))
	}
}

// liar is a member who watches, in a session of that name, and lies.
type liar struct {
	*hostile.Client
	*hostile.Liar
	session string
	stop    func()
}

// lies has someone watch and report, again and again, until stop is called. It insists on the
// stream that the honest member is sent.
func (h *house) lies(keys *home.Keys, session, most string, every time.Duration, reports func(*hostile.Liar) []rtcp.Packet) liar {
	h.t.Helper()
	c, v := h.as(keys), hostile.NewLiar(h.t, most)
	c.Hello()
	request := v.LiveRequest()
	request.Stream = proto.StreamHigh
	v.Answer(liveAnswer(h.t, c.Do(c.Request(proto.OpLive, session, request))))
	v.State(webrtc.PeerConnectionStateConnected)
	h.Until("the liar is sent pictures", func() bool { return v.Packets.Load() > 20 })
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		pace := time.NewTicker(every)
		defer pace.Stop()
		for v.Report(reports(v)) == nil {
			select {
			case <-over:
				return
			case <-pace.C:
			}
		}
	})
	stop := sync.OnceFunc(func() { close(over); wg.Wait() })
	h.t.Cleanup(stop)
	return liar{c, v, session, stop}
}

// state returns the liar's session as the status shows it.
func (h *house) state(l liar) (v proto.Viewer) {
	h.t.Helper()
	for _, x := range h.sessions() {
		if x.Client == l.Keys.ID() {
			v = x
		}
	}
	return v
}

// ends ends the liar's session, and returns the numbers that camd logs about it.
func (h *house) ends(l liar) map[string]int {
	h.t.Helper()
	l.stop()
	l.Do(l.Request(proto.OpBye, l.session, nil))
	line := regexp.MustCompile(`msg="session ended".* session=` + l.session + ` .*`)
	h.Until("the liar's session is over", func() bool { return line.MatchString(h.Log()) })
	sent := map[string]int{}
	for _, m := range regexp.MustCompile(`sent\.(\w+)=(\d+) `).FindAllStringSubmatch(line.FindString(h.Log()), -1) {
		sent[m[1]], _ = strconv.Atoi(m[2]) // those that are not whole numbers are left out
	}
	return sent
}

func TestAViewerThatLiesChangesNothingForTheOthers(t *testing.T) {
	h := newHomeWith(t, newKeys(t), steered(t, true, 200))
	ben := h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	honest := h.watchesAll(h.owner)
	t.Run("nothing arrives", func(t *testing.T) {
		before := honest.next(60)
		l := h.lies(ben, "nothing", "1", 100*time.Millisecond, (*hostile.Liar).SaysNothingArrives)
		h.Until("the camera believes the liar", func() bool { p := h.state(l).Path; return p != nil && p.Kbps == 100 })
		asBefore(t, honest.next(60), before, 1)
		h.ends(l)
	})
	t.Run("everything arrives", func(t *testing.T) {
		before := honest.next(60)
		l := h.lies(ben, "everything", "1152921504606846976", 100*time.Millisecond, (*hostile.Liar).SaysEverythingArrives)
		h.Until("the camera believes the liar", func() bool { p := h.state(l).Path; return p != nil && p.Kbps > 0 })
		asBefore(t, honest.next(60), before, 1)
		h.ends(l)
	})
	t.Run("too much", func(t *testing.T) {
		before := honest.next(60)
		l := h.lies(ben, "flood", "1000000", 2*time.Millisecond, (*hostile.Liar).SaysTooMuch)
		asBefore(t, honest.next(60), before, 1)
		sent := h.ends(l)
		if sent["keyframe_requests"] == 0 || sent["nacks"] == 0 {
			t.Errorf("the camera read nothing of the flood: %v", sent)
		}
		// Half of the packets are such requests.
		if read := sent["keyframe_requests"]; sent["unread"] < read {
			t.Errorf("the camera read %d requests for a key frame, and left only %d packets unread", read, sent["unread"])
		}
	})
}

// Without a second stream the encoder follows a viewer that says that its path carries
// nothing, but only to the floor of the configuration, which is half of the bitrate.
func TestAViewerThatLiesLowersTheBitrateToTheFloorAtMost(t *testing.T) {
	h := newHomeWith(t, newKeys(t), steered(t, false, 400))
	ben := h.invite(h.probe, proto.Grant{Name: "Ben", Role: proto.RoleAdult})
	honest := h.watchesAll(h.owner)
	before := honest.next(60)
	l := h.lies(ben, "nothing", "1", 100*time.Millisecond, (*hostile.Liar).SaysNothingArrives)
	h.Until("the camera believes the liar", func() bool { p := h.state(l).Path; return p != nil && p.Kbps == 100 })
	honest.next(30) // the encoder has followed
	shown := honest.next(60)
	asBefore(t, shown, before, 0.5)
	if got := size(shown) / size(before); got > 0.8 {
		t.Errorf("the encoder did not follow: the pictures have %.2f of their size before", got)
	}
}
