package system

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/camd-project/camd/pkg/capture/capturetest"
	"github.com/camd-project/camd/pkg/capture/strip"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/media/avc"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// TestStreamsChangeUnderADecodersEye has a viewer go to and fro between the two streams, and
// decodes all that it got as one stream.
func TestStreamsChangeUnderADecodersEye(t *testing.T) {
	r := rig.New(t, "[capture]\nsource = \"synthetic\"\nwidth = 640\nheight = 360\nrate = 10\n[capture.low]\nheight = 180\n[audio]\nsource = \"off\"\n")
	r.Start()
	r.Online()
	camera := r.Owner()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	var mu sync.Mutex
	var units []capturetest.Unit
	width := 0
	s, err := camera.Watch(ctx, client.WatchOptions{Stream: proto.StreamHigh, Video: func(f client.Frame) {
		mu.Lock()
		defer mu.Unlock()
		if sps, err := avc.ParseSPS(avc.SetsIn(f.Data).SPS(f.Data)); err == nil {
			width = sps.Width
		}
		units = append(units, capturetest.Unit{Data: bytes.Clone(f.Data), Key: f.Key})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range []proto.Stream{proto.StreamHigh, proto.StreamLow, proto.StreamHigh, proto.StreamLow, proto.StreamHigh} {
		if err := s.SetStream(ctx, want); err != nil {
			t.Fatal(err)
		}
		pixels, n := 640, 0
		if want == proto.StreamLow {
			pixels = 320
		}
		r.Until("pictures of the stream "+string(want)+" come", func() bool {
			mu.Lock()
			defer mu.Unlock()
			if width != pixels {
				n = len(units)
			}
			return width == pixels && len(units) > n+5
		})
		r.Until("the camera says so", func() bool {
			is, _ := s.Stream()
			return is.Stream == want && is.Why == proto.StreamAsked // a busy machine may leave pictures out
		})
		if status, err := r.Status(); err != nil || len(status.Sessions) != 1 || status.Sessions[0].Stream == nil || status.Sessions[0].Stream.Stream != want {
			t.Errorf("the status says %+v, %v", status.Sessions, err)
		}
	}
	s.Close()
	var last uint32
	for i, m := range capturetest.Decode(t, units, media.VideoFormat{Width: 640, Height: 360}) { // ffmpeg brings all to the first size
		n, ok := strip.Read(m)
		if !ok || n+5 < last { // the smaller encoding of a picture comes later
			t.Errorf("picture %d shows number %d after %d, %v", i, n, last, ok)
		}
		last = n
	}
}
