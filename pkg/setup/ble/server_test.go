package ble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/frame"
)

const testDevice = proto.DeviceID("abcdefghijklmnopqrstuvwxyz")

// world is a server and what it says.
type world struct {
	t *testing.T
	*Server

	owned  atomic.Bool
	mu     sync.Mutex
	hungUp []Peer
	news   int
}

// lost lists on whom it hung up.
func (w *world) lost() []Peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.hungUp))
}

// open makes one. It must be closed within the bubble.
func open(t *testing.T, join func(context.Context, Conn) error) *world {
	w := &world{t: t}
	w.Server = NewServer(func() About { return About{Device: testDevice, Owned: w.owned.Load()} }, Deps{
		Join: join,
		News: func(Characteristic) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.news++
		},
		HangUp: func(p Peer) {
			w.mu.Lock()
			w.hungUp = append(w.hungUp, p)
			w.mu.Unlock()
			w.Gone(p)
		},
	})
	return w
}

// phone is a peer that keeps to the protocol.
type phone struct {
	w   *world
	p   Peer
	mtu int
	out frame.Writer
	in  frame.Reader
}

func (w *world) phone(p Peer) *phone { return &phone{w: w, p: p, mtu: 23} }

func (f *phone) say(message string) error {
	for f.out.Load([]byte(message)); !f.out.Done(); {
		if err := f.w.Write(f.p, RX, 0, f.out.Next(frame.Size(f.mtu))); err != nil {
			return err
		}
	}
	return nil
}

// hear polls until there is a message.
func (f *phone) hear() (string, error) {
	for {
		b, err := f.w.Read(f.p, TX, 0, f.mtu)
		if err != nil {
			return "", err
		}
		if len(b) == 0 {
			time.Sleep(time.Second)
			continue
		}
		if m, err := f.in.Add(b); err != nil || m != nil {
			return string(m), err
		}
	}
}

func (f *phone) status() (State, Why) {
	f.w.t.Helper()
	b, err := f.w.Read(f.p, Status, 0, f.mtu)
	if err != nil || len(b) != 2 {
		f.w.t.Fatalf("status %x, %v", b, err)
	}
	return State(b[0]), Why(b[1])
}

func (f *phone) want(state State, why Why) {
	f.w.t.Helper()
	synctest.Wait()
	if s, y := f.status(); s != state || y != why {
		f.w.t.Errorf("the status of %s is %d, %d, want %d, %d", f.p, s, y, state, why)
	}
}

// shout answers each message by itself in capitals, and ends after the word bye.
func shout(_ context.Context, c Conn) error {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if err := c.WriteMessage(bytes.ToUpper(m)); err != nil || string(m) == "bye" {
			return err
		}
	}
}

func TestLayoutNeverChanges(t *testing.T) {
	var got []string
	for _, c := range layout {
		got = append(got, fmt.Sprintf("%04x %s %s %s", c.handle, c.name, c.uuid, strings.Join(c.flags, ",")))
	}
	want := []string{
		"0c02 info 995c0001-ab38-4df1-b73f-0bafa5ab99b9 read",
		"0c04 rx 995c0002-ab38-4df1-b73f-0bafa5ab99b9 write",
		"0c06 tx 995c0003-ab38-4df1-b73f-0bafa5ab99b9 read,notify",
		"0c09 status 995c0004-ab38-4df1-b73f-0bafa5ab99b9 read,notify",
	}
	if !slices.Equal(got, want) || ServiceUUID != "995c0000-ab38-4df1-b73f-0bafa5ab99b9" || serviceHandle != 0x0c00 {
		t.Errorf("phones that know this camera would read and write other attributes: %q", got)
	}
}

// Whoever is near reads this while the window is open: nothing in it is a household's.
func TestInfoNamesTheCameraAndNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		const want = `{"v":1,"device":"abcdefghijklmnopqrstuvwxyz","owned":false}`
		var got []byte
		for { // by parts, as with the smallest MTU
			b, err := w.Read("a", Info, len(got), 23)
			if err != nil {
				t.Fatal(err)
			}
			b = b[:min(len(b), 22)]
			if got = append(got, b...); len(b) < 22 {
				break
			}
		}
		if string(got) != want {
			t.Errorf("info is %s", got)
		}
	})
}

// Who has paired in this window owns the camera for whoever comes next.
func TestInfoSaysThatSomebodyHasPaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		first, err := w.Read("a", Info, 0, 23)
		w.owned.Store(true)
		rest, errRest := w.Read("a", Info, 22, 23) // of what it has begun to read
		next, errNext := w.Read("b", Info, 0, 185)
		if err != nil || errRest != nil || errNext != nil {
			t.Fatal(err, errRest, errNext)
		}
		if got := string(first[:22]) + string(rest); !strings.HasSuffix(got, `"owned":false}`) {
			t.Errorf("info is %s", got)
		}
		if !strings.HasSuffix(string(next), `"owned":true}`) {
			t.Errorf("for the next one it is %s", next)
		}
	})
}

func TestAConversation(t *testing.T) {
	for _, mtu := range []int{23, 185, 517} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, shout)
				defer w.Close()
				f := w.phone("a")
				f.mtu = mtu
				f.want(Free, WhyNone)
				for _, m := range []string{"hello", strings.Repeat("x", 48), strings.Repeat("y", proto.MaxMessage), "bye"} {
					if err := f.say(m); err != nil {
						t.Fatal(err)
					}
					if got, err := f.hear(); err != nil || got != strings.ToUpper(m) {
						t.Fatalf("heard %d bytes, %v", len(got), err)
					}
				}
				f.want(Done, WhyNone)
				if _, err := w.Read("a", TX, 0, mtu); !errors.Is(err, NoConversation) {
					t.Errorf("tx after the end: %v", err)
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				if w.news < 5 {
					t.Errorf("told of %d news", w.news)
				}
			})
		})
	}
}

// A message counts as sent only when the peer has all of it.
func TestWriteMessageWaitsForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := false
		w := open(t, func(_ context.Context, c Conn) error {
			_, _ = c.ReadMessage()
			err := c.WriteMessage([]byte(strings.Repeat("z", 30)))
			sent = true
			return err
		})
		defer w.Close()
		f := w.phone("a")
		_ = f.say("go")
		synctest.Wait()
		first, err := w.Read("a", TX, 0, 23)
		if synctest.Wait(); err != nil || len(first) != 20 || sent {
			t.Fatalf("%d bytes, %v, sent %v", len(first), err, sent)
		}
		// Some read on though the value was whole. That is no further frame.
		if rest, err := w.Read("a", TX, 20, 23); err != nil || len(rest) != 0 {
			t.Errorf("rest of %d bytes, %v", len(rest), err)
		}
		if again, err := w.Read("a", TX, 5, 23); err != nil || !bytes.Equal(again, first[5:]) {
			t.Errorf("%x, %v", again, err)
		}
		if _, err := w.Read("a", TX, 21, 23); !errors.Is(err, InvalidOffset) {
			t.Errorf("beyond the end: %v", err)
		}
		if rest, err := w.Read("a", TX, 0, 23); err != nil || len(rest) != 12 {
			t.Errorf("%d bytes, %v", len(rest), err)
		}
		if synctest.Wait(); !sent {
			t.Error("WriteMessage goes on waiting")
		}
		f.want(Done, WhyNone)
	})
}

func TestOnePeerAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		a, b := w.phone("a"), w.phone("b")
		if err := a.say("hello"); err != nil {
			t.Fatal(err)
		}
		if err := b.say("hello"); !errors.Is(err, OtherPeer) {
			t.Errorf("the second peer: %v", err)
		}
		if _, err := b.hear(); !errors.Is(err, NoConversation) {
			t.Errorf("the second peer hears: %v", err)
		}
		a.want(Open, WhyNone)
		b.want(Busy, WhyNone)
		if got, err := a.hear(); got != "HELLO" {
			t.Errorf("the first peer hears %q, %v", got, err)
		}
		w.Gone("a")
		b.want(Free, WhyNone)
		b.out = frame.Writer{}
		if err := b.say("bye"); err != nil {
			t.Fatal(err)
		}
		if got, err := b.hear(); got != "BYE" {
			t.Errorf("the second peer hears %q, %v", got, err)
		}
		b.want(Done, WhyNone)
	})
}

func TestTenSecondsWithoutProgressEndIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		f := w.phone("a")
		_ = f.say("hello")
		for range 30 { // it polls: that is progress, for as long as the conversation takes
			time.Sleep(idleTime - time.Second)
			if _, err := w.Read("a", Info, 0, 23); err != nil {
				t.Fatal(err)
			}
		}
		f.want(Open, WhyNone)
		time.Sleep(idleTime + time.Millisecond)
		synctest.Wait()
		if !slices.Equal(w.lost(), []Peer{"a"}) {
			t.Errorf("hung up on %v", w.lost())
		}
		// It was the link's end: whoever comes next, the same phone too, begins again.
		f = w.phone("a")
		f.want(Free, WhyNone)
		_ = f.say("bye")
		if got, err := f.hear(); got != "BYE" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// The radio may serve one link only: who says nothing keeps nobody else out for long.
func TestAVisitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		w.Connected("silent")
		f := w.phone("reader")
		for range 29 {
			f.want(Free, WhyNone)
			time.Sleep(time.Second)
		}
		if len(w.lost()) != 0 {
			t.Errorf("hung up on %v early", w.lost())
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if !slices.Equal(w.lost(), []Peer{"reader", "silent"}) || len(w.Peers()) != 0 {
			t.Errorf("hung up on %v; %v are left", w.lost(), w.Peers())
		}
	})
}

// Who could not pair may try again on the same link, for a while.
func TestAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, func(_ context.Context, c Conn) error {
			_, _ = c.ReadMessage()
			return errors.New("wrong secret")
		})
		defer w.Close()
		for range 2 {
			f := w.phone("a")
			if err := f.say("hello"); err != nil {
				t.Fatal(err)
			}
			f.want(Failed, WhyNone)
		}
		time.Sleep(visitTime + time.Millisecond)
		if synctest.Wait(); len(w.lost()) != 1 {
			t.Errorf("hung up on %v", w.lost())
		}
	})
}

func TestWhoLeavesEndsTheConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got error
		w := open(t, func(ctx context.Context, c Conn) error {
			_, _ = c.ReadMessage()
			got = c.WriteMessage([]byte("never read"))
			<-ctx.Done()
			return got
		})
		defer w.Close()
		_ = w.phone("a").say("hello")
		synctest.Wait()
		w.Gone("a")
		w.phone("b").want(Free, WhyNone)
		if got == nil {
			t.Error("a message that nobody read counts as sent")
		}
	})
}

func TestBadFramesEndIt(t *testing.T) {
	for name, bad := range map[string][]byte{
		"out of order": {frame.First | frame.Last | 7, 1}, "empty": {}, "too long": make([]byte, 513),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, shout)
				defer w.Close()
				f := w.phone("a")
				if err := w.Write("a", RX, 0, bad); !errors.Is(err, BadFrame) {
					t.Errorf("as the first frame: %v", err)
				}
				f.want(Free, WhyNone)
				_ = f.say("hello")
				if err := w.Write("a", RX, 0, bad); !errors.Is(err, BadFrame) {
					t.Errorf("as the second frame: %v", err)
				}
				f.want(Failed, WhyFrame)
			})
		})
	}
}

// A peer that sends and never listens has no more than a few messages kept for it.
func TestTooManyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, func(ctx context.Context, _ Conn) error { <-ctx.Done(); return ctx.Err() })
		defer w.Close()
		f := w.phone("a")
		n := 0
		for ; f.say("more") == nil; n++ {
		}
		if n != inboxLen {
			t.Errorf("%d messages were taken", n)
		}
		f.want(Failed, WhyFrame)
	})
}

func TestWhatACharacteristicDoesNotAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, shout)
		defer w.Close()
		for _, c := range []Characteristic{Info, TX, Status} {
			if err := w.Write("a", c, 0, []byte{frame.First | frame.Last, 1}); !errors.Is(err, WriteNotPermitted) {
				t.Errorf("write to %s: %v", layout[c].name, err)
			}
		}
		if _, err := w.Read("a", RX, 0, 23); !errors.Is(err, ReadNotPermitted) {
			t.Errorf("read of rx: %v", err)
		}
		if err := w.Write("a", RX, 1, []byte{frame.First | frame.Last, 1}); !errors.Is(err, InvalidOffset) {
			t.Errorf("write from an offset on: %v", err)
		}
		if _, err := w.Read("a", Info, 1000, 23); !errors.Is(err, InvalidOffset) {
			t.Errorf("read beyond the end: %v", err)
		}
	})
}

// With the window all ends: the conversation, and whatever is asked afterwards.
func TestTheEndOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got error
		w := open(t, func(_ context.Context, c Conn) error {
			for got == nil {
				_, got = c.ReadMessage()
			}
			return got
		})
		f := w.phone("a")
		_ = f.say("hello")
		w.Close()
		if got == nil {
			t.Error("the conversation goes on")
		}
		if _, err := w.Read("b", Info, 0, 23); !errors.Is(err, NoConversation) {
			t.Errorf("info afterwards: %v", err)
		}
		if err := w.phone("b").say("hello"); !errors.Is(err, NoConversation) {
			t.Errorf("a conversation afterwards: %v", err)
		}
	})
}

// Whatever a peer does, in whatever order, the server holds, and serves the next one.
func FuzzServer(f *testing.F) {
	f.Add([]byte{0x01, 3, 0xc0, 1, 2, 0x12, 0, 0x23, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, shout)
			defer w.Close()
			for len(b) > 1 {
				p, c, n := Peer(fmt.Sprint(b[0]>>6)), Characteristic(b[0]&3), min(int(b[1]&31), len(b)-2)
				switch b[0] >> 4 & 3 {
				case 0:
					_ = w.Write(p, c, 0, b[2:2+n])
				case 1:
					_, _ = w.Read(p, c, n, 23)
				case 2:
					w.Gone(p)
				default:
					time.Sleep(time.Duration(n) * time.Second)
				}
				b = b[2+n:]
			}
			for p := range 4 {
				w.Gone(Peer(fmt.Sprint(p)))
			}
			synctest.Wait()
			last := w.phone("last")
			if err := last.say("bye"); err != nil {
				t.Fatal(err)
			}
			if got, err := last.hear(); got != "BYE" {
				t.Errorf("%q, %v", got, err)
			}
		})
	})
}

// Who reads the log is told what ended a conversation, and its Join hears it as the cause.
func TestTheCauseOfAnEnd(t *testing.T) {
	for want, end := range map[error]func(w *world){
		errSlow:   func(*world) { time.Sleep(idleTime + time.Millisecond) },
		errGone:   func(w *world) { w.Gone("a") },
		errFrame:  func(w *world) { _ = w.Write("a", RX, 0, []byte{}) },
		errWindow: func(w *world) { w.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			var cause, read error
			w := open(t, func(ctx context.Context, c Conn) error {
				for read == nil {
					_, read = c.ReadMessage()
				}
				cause = context.Cause(ctx)
				return read
			})
			defer w.Close()
			_ = w.phone("a").say("hello")
			end(w)
			if synctest.Wait(); !errors.Is(cause, want) || !errors.Is(read, want) {
				t.Errorf("ended by %v, read %v, want %v", cause, read, want)
			}
		})
	}
}
