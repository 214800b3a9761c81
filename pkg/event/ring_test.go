package event

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Members are told before anything waits for the camera or the bell.
func TestRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{rings: 2 * time.Second}
		h.shows = func(context.Context, int) ([]byte, error) {
			time.Sleep(time.Second)
			return []byte("picture"), nil
		}
		e := newDisk(t).open(t, h)
		end := run(t, e)
		defer end()
		if e.Ringing() {
			t.Error("rings before anyone rang")
		}
		ringOnce(t, e)
		if d := time.Since(h.began); d != 0 || h.steps()[0].what != "told" {
			t.Errorf("%v after %v", h.steps(), d)
		}
		synctest.Wait()
		if l := listed(t, e); len(l) != 1 || l[0].ID != 1 || l[0].Kind != proto.EventRing || l[0].Picture != "" {
			t.Errorf("kept while the camera works: %+v", l)
		}
		if _, err := e.Answer("anna", proto.EventsRequest{Event: 1}); refused(err) != proto.CodeNoEvent {
			t.Errorf("the picture that is not there: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if l := listed(t, e); len(l) != 1 || l[0].Picture != proto.PictureJPEG || l[0].Size != 7 || l[0].Time != h.began.UnixMilli() {
			t.Errorf("kept: %+v", l)
		}
		if data, err := fetched(e, "anna", proto.EventsRequest{Event: 1}); err != nil || !bytes.Equal(data, []byte("picture")) {
			t.Errorf("%q, %v", data, err)
		}
		if h.count("chime") != 1 || h.wanted() != 1 || !e.Ringing() {
			t.Errorf("%+v, %d wants", h.steps(), h.wanted())
		}
		time.Sleep(warmTime)
		synctest.Wait()
		if h.wanted() != 0 || e.Ringing() {
			t.Errorf("two minutes later: %d wants, ringing %v", h.wanted(), e.Ringing())
		}
	})
}

func TestPressesWithinThreeSecondsAreOneRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(9)}
		e := newDisk(t).open(t, h)
		defer run(t, e)()
		for range 29 { // 0 to 2.8 s
			ringOnce(t, e)
			time.Sleep(100 * time.Millisecond)
		}
		if h.count("told") != 1 || h.count("chime") != 1 || h.count("picture") != 1 {
			t.Errorf("%+v", h.steps())
		}
		time.Sleep(time.Second)
		ringOnce(t, e)
		time.Sleep(warmTime - time.Second) // more than two minutes after the first
		synctest.Wait()
		if h.count("told") != 2 || h.wanted() != 1 || h.count("wanted") != 1 || !e.Ringing() {
			t.Errorf("a ring within another's two minutes: %+v", h.steps())
		}
	})
}

// Somebody leans on the bell for a day: neither the log nor the phones are flooded, and
// the bell sounds all the same.
func TestRingsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(9)}
		e := newDisk(t).open(t, h)
		defer run(t, e)()
		const hours = 2
		for range hours * 3600 / 4 {
			ringOnce(t, e)
			time.Sleep(4 * time.Second)
		}
		if n := h.count("told"); n < ringBurst+hours*60-2 || n > ringBurst+hours*60+2 {
			t.Errorf("%d rings told in %d hours", n, hours)
		}
		if n := h.count("chime"); n != hours*3600/4 {
			t.Errorf("the bell sounded %d times", n)
		}
		if l := listed(t, e); len(l) != maxEvents {
			t.Errorf("%d kept", len(l))
		}
		time.Sleep(2 * time.Hour)
		told := h.count("told")
		for range ringBurst {
			ringOnce(t, e)
			time.Sleep(sameRing)
		}
		if n := h.count("told") - told; n != ringBurst {
			t.Errorf("after two hours of rest %d of %d rings are told", n, ringBurst)
		}
	})
}

func TestRingWithoutAPicture(t *testing.T) {
	for name, err := range map[string]error{
		"privacy mode": proto.Refuse(proto.CodePrivacy), "camera away": proto.Refuse(proto.CodeNoMedia), "fault": errors.New("boom"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &house{shows: func(context.Context, int) ([]byte, error) { return nil, err }}
				e := newDisk(t).open(t, h)
				defer run(t, e)()
				ringOnce(t, e)
				synctest.Wait()
				if l := listed(t, e); len(l) != 1 || l[0].Picture != "" || h.count("chime") != 1 || h.count("told") != 1 {
					t.Errorf("%+v, %+v", l, h.steps())
				}
			})
		})
	}
}

// A camera that gives no picture at first is asked again, but not for ever.
func TestRingWhileTheCameraStarts(t *testing.T) {
	for tries, want := range map[int]int{1: 9, 10: 9, 1000: 0} {
		synctest.Test(t, func(t *testing.T) {
			h := &house{shows: func(ctx context.Context, n int) ([]byte, error) {
				if n < tries {
					return nil, proto.Refuse(proto.CodeNoMedia)
				}
				return ofSize(9)(ctx, n)
			}}
			e := newDisk(t).open(t, h)
			defer run(t, e)()
			ringOnce(t, e)
			time.Sleep(pictureTime)
			synctest.Wait()
			if l := listed(t, e); len(l) != 1 || l[0].Size != want || h.count("picture") > int(pictureTime/pictureRest)+1 {
				t.Errorf("ready at try %d: %+v, %+v", tries, l, h.steps())
			}
		})
	}
}

// A camera that never answers holds up neither the next ring nor the end.
func TestRingWithAHangingCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{rings: time.Hour}
		h.shows = func(ctx context.Context, _ int) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		e := newDisk(t).open(t, h)
		end := run(t, e)
		for range 5 {
			ringOnce(t, e)
			time.Sleep(sameRing)
		}
		if h.count("told") != 5 || h.count("chime") != 2 { // of ten seconds at most, one at a time
			t.Errorf("%+v", h.steps())
		}
		end()
		if h.wanted() != 0 {
			t.Error("the camera is wanted after the end")
		}
	})
}

func TestRingWhenTheLogCantBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{fails: errors.New("disk full"), shows: ofSize(9)}
		e := newDisk(t).open(t, h)
		defer run(t, e)()
		if err := e.Ring(t.Context()); !errors.Is(err, h.fails) {
			t.Errorf("Ring() = %v", err)
		}
		synctest.Wait()
		if l := listed(t, e); len(l) != 0 || h.count("chime") != 1 || h.wanted() != 1 {
			t.Errorf("%+v kept, %+v", l, h.steps())
		}
	})
}

// Nobody serves: a press neither blocks nor panics.
func TestRingBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{shows: ofSize(9)}
		e := newDisk(t).open(t, h)
		for range 2 * ringQueue {
			ringOnce(t, e)
			time.Sleep(sameRing)
		}
		if err := e.Close(); err != nil || h.count("told") != 2*ringQueue {
			t.Errorf("%v, %+v", err, h.steps())
		}
	})
}
