package media

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Feed passes the frames of one producer to every subscribed consumer, and lets the
// producer know whether anyone wants them at all. It is safe for concurrent use.
type Feed[F any] struct {
	sinks   CopyOnWrite[[]*sink[F]]
	wants   atomic.Int64
	changes chan struct{}
}

type sink[F any] struct{ take func(F) }

// NewFeed makes a feed without consumers.
func NewFeed[F *AccessUnit | *AudioFrame]() *Feed[F] {
	return &Feed[F]{changes: make(chan struct{}, 1)}
}

// Publish calls every consumer in turn, on the producer's goroutine. The
// producer still holds the frame when Publish returns, and releases it.
func (f *Feed[F]) Publish(v F) {
	for _, s := range f.sinks.Load() {
		s.take(v)
	}
}

// Subscribe adds a consumer. take must not block; what it keeps beyond its
// return it must Retain. cancel removes it; a call under way may still finish
// after cancel has returned. Subscribing alone is no demand: see Want.
func (f *Feed[F]) Subscribe(take func(F)) (cancel func()) {
	s := &sink[F]{take}
	f.sinks.Change(func(l []*sink[F]) []*sink[F] { return append(slices.Clone(l), s) })
	return func() {
		f.sinks.Change(func(l []*sink[F]) []*sink[F] {
			return slices.DeleteFunc(slices.Clone(l), func(x *sink[F]) bool { return x == s })
		})
	}
}

// Want declares demand until release is called. A producer that can
// stop (an encoder, a microphone) is suspended while nobody wants its frames.
func (f *Feed[F]) Want() (release func()) {
	f.demand(1)
	return sync.OnceFunc(func() { f.demand(-1) })
}

// Wanted reports whether anyone wants frames now.
func (f *Feed[F]) Wanted() bool { return f.wants.Load() > 0 }

// Changes receives a value after Wanted may have changed. It is for the one producer.
func (f *Feed[F]) Changes() <-chan struct{} { return f.changes }

func (f *Feed[F]) demand(d int64) {
	f.wants.Add(d)
	select {
	case f.changes <- struct{}{}:
	default: // one is waiting already
	}
}
