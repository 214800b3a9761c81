package accesslog

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 12, 3, 12, 0, 0, 0, time.UTC)

// fill appends an entry for each time, in hours from noon; unknown stands for a
// device that begins at 1970.
const unknown = -1 << 30

func fill(t *testing.T, l *Log, hours ...int) {
	t.Helper()
	entries := make([]Entry, len(hours))
	for i, h := range hours {
		at := noon.Add(time.Duration(h) * time.Hour)
		if h == unknown {
			at = time.Unix(60, 0)
		}
		entries[i] = Entry{Kind: KindLive, Time: at.UnixMilli()}
	}
	if _, err := l.Append(entries...); err != nil {
		t.Fatal(err)
	}
}

// kept are the indexes of the texts that an epoch still has.
func kept(t *testing.T, l *Log, epoch uint64) []uint64 {
	t.Helper()
	var out []uint64
	for from := uint64(0); ; from += MaxRead {
		page, err := l.ReadEpoch(epoch, from, MaxRead)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			if r.Text != nil {
				out = append(out, r.Index)
			}
		}
		if len(page) < MaxRead {
			return out
		}
	}
}

func TestDropBefore(t *testing.T) {
	for name, c := range map[string]struct {
		old, hours []int // of epochs 1 and 2
		dropped    int
		first      uint64 // the first text that stays, of epoch 2
	}{
		"nothing old":             {nil, []int{0, 1, 2}, 0, 0},
		"some":                    {nil, []int{-3, -2, -1, 0, 1}, 3, 3},
		"the newest stays":        {nil, []int{-3, -2, -1}, 2, 2},
		"one":                     {nil, []int{-3}, 0, 0},
		"none":                    {nil, nil, 0, 0},
		"a clock that went back":  {nil, []int{-3, 5, -2, -1, 0}, 1, 1},
		"old epochs first":        {[]int{-5, -4}, []int{-3, 0}, 3, 1},
		"an epoch that is not":    {[]int{-5, 4}, []int{-3, 0}, 1, 0},
		"times unknown, then new": {nil, []int{unknown, unknown, 0, 1}, 0, 0},
		"times unknown, then old": {nil, []int{unknown, unknown, -1, unknown, 1}, 3, 3},
		"times unknown, epochs":   {[]int{unknown, unknown}, []int{unknown, -2, 0}, 4, 2},
		"times unknown, all":      {[]int{unknown, unknown}, []int{unknown, unknown}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			db := testDB(t)
			fill(t, testLog(t, db, 1), c.old...)
			l := testLog(t, db, 2)
			fill(t, l, c.hours...)
			before := head(t, l)
			if n, err := l.DropBefore(noon); err != nil || n != c.dropped {
				t.Errorf("dropped %d, %v; want %d", n, err, c.dropped)
			}
			texts := kept(t, l, 2)
			if len(kept(t, l, 1))+len(texts) != len(c.old)+len(c.hours)-c.dropped || len(texts) > 0 && texts[0] != c.first {
				t.Errorf("kept %v and %v", kept(t, l, 1), texts)
			}
			if n, err := l.DropBefore(noon); err != nil || n != 0 {
				t.Errorf("again: %d, %v", n, err)
			}
			if head(t, l) != before {
				t.Error("the tree is another one")
			}
			if testLog(t, db, 2) == nil { // opens, so tree and texts fit
				t.Error("not opened")
			}
		})
	}
}

// The bytes of texts are counted whichever way they go: after all three the bound
// still lets in about as many as in the beginning.
func TestDroppedTextsAreCounted(t *testing.T) {
	l := testLog(t, testDB(t), 1)
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i
	}
	fill(t, l, hundred...)
	one := state64(t, l) / 100
	l.maxTexts = 100 * one
	for range 3 {
		if n, err := l.DropBefore(noon.Add(50 * time.Hour)); err != nil || n == 0 {
			t.Fatal(n, err)
		}
		fill(t, l, hundred...)
		if n := len(kept(t, l, 1)); n < 75 || n > 100 {
			t.Errorf("%d texts", n)
		}
	}
}
