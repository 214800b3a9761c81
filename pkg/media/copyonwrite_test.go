package media

import (
	"slices"
	"sync"
	"testing"
)

func TestCopyOnWrite(t *testing.T) {
	var c CopyOnWrite[[]int]
	if l := c.Load(); l != nil {
		t.Errorf("the zero value holds %v", l)
	}
	add := func(n int) func([]int) []int {
		return func(l []int) []int { return append(slices.Clone(l), n) }
	}
	c.Change(add(0))
	before := c.Load()
	var changing sync.WaitGroup
	for n := range 20 {
		changing.Go(func() { c.Change(add(n + 1)) })
	}
	changing.Wait()
	if !slices.Equal(before, []int{0}) {
		t.Errorf("what was loaded before has changed to %v", before)
	}
	l := c.Load()
	slices.Sort(l[1:])
	for n := range 21 {
		if len(l) != 21 || l[n] != n {
			t.Fatalf("after 21 changes: %v", l)
		}
	}
}
