package media

import (
	"sync"
	"sync/atomic"
)

// CopyOnWrite holds a slice or a map that is read for every frame or packet, without a lock,
// and is seldom changed. The zero value holds the zero T. It is safe for concurrent use.
type CopyOnWrite[T any] struct {
	value atomic.Pointer[T]
	mu    sync.Mutex // over Change
}

// Load returns what it holds now. The caller must not change it.
func (c *CopyOnWrite[T]) Load() (v T) {
	if p := c.value.Load(); p != nil {
		v = *p
	}
	return v
}

// Change replaces what it holds by what change makes of it. Others may still read the old
// value, so change must change a copy.
func (c *CopyOnWrite[T]) Change(change func(old T) T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := change(c.Load())
	c.value.Store(&v)
}
