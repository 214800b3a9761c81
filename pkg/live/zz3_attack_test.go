package live

import (
	"context"
	"log/slog"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/media"
)

func TestZZQuietFlood(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	log := slog.New(slog.DiscardHandler)
	r := &rig{
		t: t, camera: newCamera(false), board: health.NewBoard(log),
		video: media.NewFeed[*media.AccessUnit](), audio: media.NewFeed[*media.AudioFrame](),
		units: media.NewPool[media.AccessUnit](2), frames: media.NewPool[media.AudioFrame](2),
	}
	s, err := New(DefaultConfig(), log, r.board, Deps{r.video, r.audio, r.camera})
	must(t, err)
	r.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = s.Run(ctx, func() {}) }()
	time.Sleep(100 * time.Millisecond)
	r.stream(30*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	m := hostPort.FindStringSubmatch(p.answer)
	to, err := net.ResolveUDPAddr("udp4", m[1]+":"+m[2])
	must(t, err)
	local := ufragRe.FindStringSubmatch(p.answer)[1]
	remote := ufragRe.FindStringSubmatch(p.pc.LocalDescription().SDP)[1]
	msg, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(local+":"+remote), stun.NewShortTermIntegrity("wrongwrongwrongwrongwrong"), stun.Fingerprint)
	must(t, err)
	c, err := net.DialUDP("udp4", nil, to)
	must(t, err)
	var ms runtime.MemStats
	n := 0
	for i := 0; i < 8; i++ {
		end := time.Now().Add(time.Second)
		for time.Now().Before(end) {
			for range 50 {
				_, _ = c.Write(msg.Raw)
				n++
			}
		}
		runtime.ReadMemStats(&ms)
		t.Logf("sent %d heap %d KB sys %d KB", n, ms.HeapAlloc>>10, ms.Sys>>10)
	}
}
