package live

import (
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/media"
)

func TestWhoIsWorthFollowing(t *testing.T) {
	const full = 2_000_000
	for name, c := range map[string]struct {
		wishes []int
		full   int
		want   []int
	}{
		"nobody":                          {nil, full, nil},
		"no bounds":                       {[]int{0, 0}, full, []int{0, 0}},
		"alone":                           {[]int{100_000}, full, []int{100_000}},
		"alone, and the camera unknown":   {[]int{100_000}, 0, []int{100_000}},
		"much less than another":          {[]int{0, 1_000_000}, full, []int{0}},
		"a little less than another":      {[]int{0, 1_600_000}, full, []int{0, 1_600_000}},
		"much less than a slow one":       {[]int{500_000, 1_000_000}, full, []int{1_000_000}},
		"more than the camera has":        {[]int{9_000_000, 1_600_000}, full, []int{9_000_000, 1_600_000}},
		"no bound and the camera unknown": {[]int{0, 1_000_000}, 0, []int{0}},
		"three":                           {[]int{1_000_000, 900_000, 300_000}, full, []int{1_000_000, 900_000}},
	} {
		if got := worthFollowing(c.wishes, c.full); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Without a second stream that it can be sent, the encoder follows the slowest viewer.
func TestAViewerThatCantBeSentTheSecondStreamIsFollowed(t *testing.T) {
	low := newCamera(true)
	low.format.ProfileLevelID = "4d401e" // another profile than the first stream's
	r := newTestRig(t, DefaultConfig(), newCamera(true), func(d *Deps) {
		d.LowVideo, d.LowCamera, d.Bitrate = media.NewFeed[*media.AccessUnit](), low, 1_500_000
	})
	r.stream(20*time.Millisecond, 10)
	get(t, watch(t, r, "other", peerOptions{}).video)
	get(t, watch(t, r, "slow", wish("400000")).video)
	r.stop()
	r.camera.mu.Lock()
	defer r.camera.mu.Unlock()
	if !slices.Contains(r.camera.bitrates, 400_000) {
		t.Errorf("the camera was set to %v", r.camera.bitrates)
	}
}

// A viewer that wants much less than another one changes nothing for that one.
func TestAWishOfOneViewerLeavesTheOthersAlone(t *testing.T) {
	feed := media.NewFeed[*media.AccessUnit]()
	r := newTestRig(t, DefaultConfig(), newCamera(true), func(d *Deps) {
		d.LowVideo, d.LowCamera, d.Bitrate = feed, newCamera(true), 1_500_000
	})
	r.stream(20*time.Millisecond, 10)
	get(t, watch(t, r, "other", peerOptions{}).video)
	p := watch(t, r, "slow", wish("300000"))
	get(t, p.video)
	eventually(t, "the second stream is wanted", feed.Wanted)
	feed.Publish(&media.AccessUnit{PTS: media.Now(), Key: true, Data: appendUnit(nil, true, 100)})
	eventually(t, "the viewer is sent the second stream", func() bool { return p.session.onLow() })
	r.stop()
	r.camera.mu.Lock()
	defer r.camera.mu.Unlock()
	if len(r.camera.bitrates) != 0 {
		t.Errorf("the camera was set to %v", r.camera.bitrates)
	}
}
