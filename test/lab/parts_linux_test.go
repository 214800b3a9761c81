package lab

import "testing"

func TestGuestBoots(t *testing.T) {
	for _, a := range []Arch{ARM64, ARMv7} {
		t.Run(a.Debian, func(t *testing.T) {
			files := Archive{"clip.h264": {0o644, clip(t)}}
			g := boot(t, a, namespace(t), files, vivid, "snd-aloop pcm_substreams=1", "vhci-hcd", "uvcvideo")
			ctx := patient(t)
			cameras, err := g.Cameras(ctx)
			must(t, err)
			if len(cameras) != 1 {
				t.Fatalf("cameras %v, want vivid's", cameras)
			}
			must(t, g.Plug(ctx, "/clip.h264"))
			eventually(t, "the USB camera's node", func() bool {
				cameras, err := g.Cameras(ctx)
				must(t, err)
				t.Log(cameras)
				return len(cameras) == 2
			})
			must(t, g.Play(ctx, "/dev/snd/pcmC0D0p", 1000))
			must(t, g.Unplug(ctx))
			eventually(t, "the node to go", func() bool {
				cameras, err := g.Cameras(ctx)
				must(t, err)
				return len(cameras) == 1
			})
			must(t, g.PowerOff(ctx))
			t.Log(g.Log())
		})
	}
}
