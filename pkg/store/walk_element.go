package store

import "bytes"

// element is one entry of a branch or leaf page.
type element struct {
	flags      uint32 // leaf only
	page       uint64 // branch only
	begin, end uint64 // of key and value, counted from the entry itself
	key, value []byte // value: leaf only
}

// elements reads the entries of a page. It checks that they are as bbolt writes them, one
// after the other and zeros after the last, and that the keys rise from low (included) to high
// (excluded). This also finds a count that is too small, which would hide entries silently.
func elements(p []byte, low, high []byte) ([]element, error) {
	isLeaf := order.Uint16(p[8:]) == flagLeaf
	n := int(order.Uint16(p[10:]))
	if pageHeader+n*elementSize > len(p) {
		return nil, damaged("%d entries in a page of %d bytes", n, len(p))
	}
	l := make([]element, n)
	next := uint64(n * elementSize) //nolint:gosec // a page's count is not negative
	for i := range l {
		at := uint64(i * elementSize) //nolint:gosec // as above
		e, ok := parseElement(p[pageHeader+at:], isLeaf)
		if !ok {
			return nil, damaged("entry %d reaches out of its page", i)
		}
		if at+e.begin != next {
			return nil, damaged("entry %d does not lie behind the one before", i)
		}
		next = at + e.end
		if c := bytes.Compare(e.key, low); low != nil && (c < 0 || c == 0 && i > 0) {
			return nil, damaged("keys are out of order")
		}
		if high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, damaged("a key lies beyond its branch")
		}
		l[i], low = e, e.key
	}
	if bytes.ContainsFunc(p[pageHeader+next:], func(r rune) bool { return r != 0 }) {
		return nil, damaged("something lies behind the last entry")
	}
	return l, nil
}

// parseElement reads the entry at the beginning of b, which holds the rest of
// the page: positions count from the entry itself.
func parseElement(b []byte, isLeaf bool) (element, bool) {
	var e element
	pos, ksize, vsize := uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), uint64(0)
	if isLeaf {
		e.flags = uint32(pos) //nolint:gosec // read as 32 bits
		pos, ksize, vsize = ksize, uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	} else {
		e.page = order.Uint64(b[8:])
	}
	if pos+ksize+vsize > uint64(len(b)) || e.flags&^leafIsBucket != 0 {
		return e, false
	}
	e.begin, e.end = pos, pos+ksize+vsize
	e.key, e.value = b[pos:pos+ksize], b[pos+ksize:e.end]
	return e, true
}

func (w *walker) branch(p, low, high []byte, depth int) error {
	l, err := elements(p, low, high)
	if err != nil {
		return err
	}
	if len(l) == 0 {
		return damaged("an empty branch page")
	}
	for i, e := range l {
		next := high
		if i+1 < len(l) {
			next = l[i+1].key
		}
		if err := w.page(e.page, e.key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(p, low, high []byte, depth int) error {
	l, err := elements(p, low, high)
	if err != nil {
		return err
	}
	for _, e := range l {
		if e.flags&leafIsBucket == 0 {
			continue
		}
		if err := w.bucket(e.value, depth); err != nil {
			return err
		}
	}
	return nil
}

// bucket walks a nested bucket: it has a root page of its own or, while it is
// small, a leaf page inside the value.
func (w *walker) bucket(v []byte, depth int) error {
	if len(v) < bucketHead {
		return damaged("a bucket of %d bytes", len(v))
	}
	if root := order.Uint64(v); root != 0 {
		return w.page(root, nil, nil, depth+1)
	}
	inline := v[bucketHead:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != flagLeaf || depth > maxPageDepth {
		return damaged("a bucket without a page")
	}
	return w.leaf(inline, nil, nil, depth+1)
}
