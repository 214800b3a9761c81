package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/talk"
)

// crowd is the live sessions of everyone who wants to talk, and of whom one is heard.
type crowd struct {
	mu    sync.Mutex
	sink  func(uint16, uint32, []byte)
	twice bool // two were heard at once
}

func (c *crowd) MayHear(proto.ClientID, string) error { return nil }

func (c *crowd) Hear(_ proto.ClientID, _ string, sink func(uint16, uint32, []byte)) (func(), <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.twice = c.twice || c.sink != nil
	c.sink = sink
	return func() { c.mu.Lock(); c.sink = nil; c.mu.Unlock() }, nil, nil
}

// sends has whoever is heard send a packet each 20 ms.
func (c *crowd) sends(ctx context.Context, voice [][]byte) {
	for n := 0; ctx.Err() == nil; n++ {
		c.mu.Lock()
		if c.sink != nil {
			c.sink(uint16(n), uint32(960*n), voice[n%len(voice)])
		}
		c.mu.Unlock()
		time.Sleep(20 * time.Millisecond)
	}
}

// talker asks again and again, and loses the right at some moment or says bye.
type talker struct {
	id    proto.ClientID
	floor *talk.Floor
	rand  *rand.Rand
	heard atomic.Int64
}

func (k *talker) upTo(d time.Duration) time.Duration { return time.Duration(k.rand.Int64N(int64(d))) }

// once is one talk. It returns how long after the end of the right all was over.
func (k *talker) once(ctx context.Context) time.Duration {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan time.Time, 1)
	revoke := time.AfterFunc(k.upTo(20*time.Second), func() { ended <- time.Now(); cancel(proto.Refuse(proto.CodePrivacy)) })
	defer revoke.Stop()
	bye := time.AfterFunc(k.upTo(40*time.Second), func() { k.floor.Bye(k.id, "t") })
	t, err := k.floor.Start(ctx, talk.Request{Client: k.id, Account: string(k.id), ID: "t", Live: "l",
		Member: talk.Member{Name: "Anna"}, Accept: k.rand.IntN(2) == 0, Ended: func(string) {}})
	defer bye.Stop()
	if err == nil {
		<-t.Done()
		k.heard.Add(1)
	}
	select {
	case at := <-ended:
		return time.Since(at)
	default:
		return 0
	}
}

// TestTheRoomUnderEverythingAtOnce has some talk, press, ring and speak prompts at the
// same time: whoever's right ends is silent at once, and nothing hangs or stays behind.
func TestTheRoomUnderEverythingAtOnce(t *testing.T) {
	archive, err := prompt.Default()
	if err != nil {
		t.Fatal(err)
	}
	voice, err := archive.Clip("phrase/trouble")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		cfg := audio.DefaultConfig()
		cfg.Speaker = "null"
		speaker, err := audio.NewSpeaker(cfg, log, health.NewBoard(log), audio.SpeakerDeps{Jitter: func() audio.Jitter { return jitter.New() }})
		if err != nil {
			t.Fatal(err)
		}
		say, sessions := newAnnouncer(log, loudspeaker{speaker}, archive), &crowd{}
		floor := talk.New(log, loudspeaker{speaker}, talkPrompts{archive}, sessions)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _ = speaker.Run(ctx, func() {}) })
		wg.Go(func() { _ = say.Run(ctx, func() {}) })
		wg.Go(func() { sessions.sends(ctx, voice) })
		talkers := make([]*talker, 4)
		for n := range talkers {
			k := &talker{id: proto.ClientID(rune('a' + n)), floor: floor, rand: rand.New(rand.NewPCG(1, uint64(n)))}
			talkers[n] = k
			wg.Go(func() {
				for ctx.Err() == nil {
					if late := k.once(ctx); late > 400*time.Millisecond { // twice what the card holds
						t.Errorf("a voice ends %v after its right", late)
					}
					time.Sleep(k.upTo(5 * time.Second))
				}
			})
		}
		acts := []func(){
			func() { floor.Accept() }, func() { floor.Accept() }, func() { say.clip("phrase/stopped") }, func() { say.stopPrompt() },
			func() { say.tell(archive.Audit(someone, someone)) }, func() { wg.Go(func() { _ = say.Chime(ctx) }) },
		}
		// Four minutes, and until someone was heard: what happens when is left to chance.
		heard := func() (n int64) {
			for _, k := range talkers {
				n += k.heard.Load()
			}
			return n
		}
		begun := time.Now()
		for n := 1; time.Since(begun) < 4*time.Minute || heard() == 0 && time.Since(begun) < time.Hour; n++ {
			acts[rand.IntN(len(acts))]()
			if n%60 == 0 {
				floor.EndTalk()
			}
			time.Sleep(rand.N(4 * time.Second))
		}
		cancel()
		wg.Wait()
		if heard() == 0 || sessions.twice {
			t.Errorf("%d were heard; two at once: %v", heard(), sessions.twice)
		}
	})
}

var someone = []prompt.Person{{Name: "Anna", Role: proto.RoleOwner}, {Name: "Ben", Role: proto.RoleGuest}}
