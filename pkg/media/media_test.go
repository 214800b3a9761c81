package media

import (
	"sync"
	"testing"
)

func TestFrameReturnsToItsPoolWithTheLastRelease(t *testing.T) {
	p := NewPool[AccessUnit](1)
	u := p.Get()
	u.Data = append(u.Data, 1, 2, 3)
	u.Key = true
	u.Retain()
	u.Release()
	if v := p.Get(); v == u {
		t.Fatal("a frame that is still held was handed out again")
	}
	u.Release()
	v := p.Get()
	if v != u || len(v.Data) != 0 || cap(v.Data) < 3 || v.Key {
		t.Fatalf("got %p %+v, want the released frame %p, emptied, with its buffer", v, v, u)
	}
}

func TestUseAfterLastReleasePanics(t *testing.T) {
	for name, use := range map[string]func(*AudioFrame){
		"release": (*AudioFrame).Release,
		"retain":  func(f *AudioFrame) { f.Retain() },
	} {
		t.Run(name, func(t *testing.T) {
			f := NewPool[AudioFrame](1).Get()
			f.Release()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			use(f)
		})
	}
}

func TestPoolAllocatesNothingInTheSteadyState(t *testing.T) {
	p := NewPool[AccessUnit](2)
	data := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		u := p.Get()
		u.Data = append(u.Data, data...)
		u.Release()
	}); n != 0 {
		t.Errorf("%v allocations per frame, want 0", n)
	}
}

func TestFeedReachesEverySubscriberUntilCancelled(t *testing.T) {
	f := NewFeed[*AudioFrame]()
	var a, b int
	cancelA := f.Subscribe(func(*AudioFrame) { a++ })
	cancelB := f.Subscribe(func(*AudioFrame) { b++ })
	u := NewPool[AudioFrame](1).Get()
	f.Publish(u)
	cancelA()
	f.Publish(u)
	cancelB()
	f.Publish(u)
	if a != 1 || b != 2 {
		t.Errorf("calls = %d, %d, want 1, 2", a, b)
	}
}

func TestFeedDemand(t *testing.T) {
	f := NewFeed[*AccessUnit]()
	if f.Wanted() {
		t.Fatal("wanted before anyone asked")
	}
	one, two := f.Want(), f.Want()
	<-f.Changes()
	one()
	one() // a second release of the same want is nothing
	if !f.Wanted() {
		t.Fatal("not wanted while one want is held")
	}
	two()
	if f.Wanted() {
		t.Fatal("wanted after the last release")
	}
	<-f.Changes()
}

func TestFeedUnderConcurrentUse(t *testing.T) {
	f := NewFeed[*AccessUnit]()
	u := NewPool[AccessUnit](1).Get()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				cancel := f.Subscribe(func(*AccessUnit) {})
				f.Publish(u)
				cancel()
			}
		})
	}
	wg.Wait()
	if n := len(f.sinks.Load()); n != 0 {
		t.Errorf("%d subscribers left, want 0", n)
	}
}
