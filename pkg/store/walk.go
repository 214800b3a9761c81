package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The layout of a bbolt file, version 2, in the machine's byte order (bbolt's
// internal/common: page.go, meta.go, bucket.go). Page 0 and 1 hold the meta, of
// which the valid one with the higher transaction counts.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	elementSize = 16 // branch: pos, ksize u32, page u64; leaf: flags, pos, ksize, vsize u32
	bucketHead  = 16 // root u64, sequence u64
	metaSize    = 64
	metaSum     = 56 // the bytes that the FNV-1a checksum after them covers

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	leafIsBucket = 0x01

	noFreelist   = ^uint64(0)
	maxPageDepth = 64
)

var order = binary.NativeEndian

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

type metaPage struct {
	pageSize             uint32
	root, freelist, high uint64 // high: number of pages in use
	tx                   uint64
}

// walker visits each page once.
type walker struct {
	r    io.ReaderAt
	meta metaPage
	seen []bool // by page: reachable or free
}

// walkFile checks the structure of a file. It returns an error of r unchanged, so that a
// failing disk is never taken for damage.
func walkFile(r io.ReaderAt, size int64) error {
	m, err := readMeta(r, size)
	if err != nil {
		return err
	}
	if m.high < 4 || m.high > uint64(size)/uint64(m.pageSize) { //nolint:gosec // a file's size is not negative
		return damaged("%d pages in a file of %d bytes", m.high, size)
	}
	w := &walker{r: r, meta: m, seen: make([]bool, m.high)}
	w.seen[0], w.seen[1] = true, true
	if err := w.freelist(); err != nil {
		return err
	}
	if err := w.page(m.root, nil, nil, 0); err != nil {
		return err
	}
	for id, seen := range w.seen {
		if !seen && m.freelist != noFreelist {
			return damaged("page %d is neither used nor free", id)
		}
	}
	return nil
}

// readMeta returns the newest valid meta page. The first one has the page size; if it is torn,
// the second is at one of the possible page sizes.
func readMeta(r io.ReaderAt, size int64) (metaPage, error) {
	var best metaPage
	for at := int64(0); at <= 64<<10 && at+pageHeader+metaSize <= size; at = max(1024, 2*at) {
		b, err := readAt(r, at+pageHeader, metaSize)
		if err != nil {
			return best, err
		}
		m, ok := parseMeta(b)
		if ok && (at == 0 || at == int64(m.pageSize)) && (best.pageSize == 0 || m.tx > best.tx) {
			best = m
		}
	}
	if best.pageSize == 0 {
		return best, damaged("no valid meta page")
	}
	return best, nil
}

func parseMeta(b []byte) (metaPage, bool) {
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSum]) // a hash never fails
	m := metaPage{
		pageSize: order.Uint32(b[8:]), root: order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]), high: order.Uint64(b[40:]), tx: order.Uint64(b[48:]),
	}
	ok := order.Uint32(b) == boltMagic && order.Uint32(b[4:]) == boltVersion &&
		order.Uint64(b[metaSum:]) == h.Sum64() &&
		m.pageSize >= 1024 && m.pageSize <= 64<<10 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// readAt reads n bytes. If the file ends before, it is damaged.
func readAt(r io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := r.ReadAt(b, at)
	switch {
	case got == n:
		return b, nil
	case errors.Is(err, io.EOF):
		return nil, damaged("the file ends at byte %d", at+int64(got))
	default:
		return nil, fmt.Errorf("read store: %w", err)
	}
}

// claim reads a page with its overflow and marks it as seen.
func (w *walker) claim(id uint64) ([]byte, error) {
	size := int64(w.meta.pageSize)
	if id < 2 || id >= w.meta.high {
		return nil, damaged("page %d of %d", id, w.meta.high)
	}
	at := int64(id) * size //nolint:gosec // below high, which the file's size bounds
	h, err := readAt(w.r, at, pageHeader)
	if err != nil {
		return nil, err
	}
	n := 1 + uint64(order.Uint32(h[12:]))
	if order.Uint64(h) != id || n > w.meta.high-id {
		return nil, damaged("page %d says that it is page %d of %d pages", id, order.Uint64(h), n)
	}
	for i := id; i < id+n; i++ {
		if w.seen[i] {
			return nil, damaged("page %d is used twice", i)
		}
		w.seen[i] = true
	}
	return readAt(w.r, at, int(n)*int(size)) //nolint:gosec // within the file
}

func (w *walker) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.claim(w.meta.freelist)
	if err != nil {
		return err
	}
	if order.Uint16(p[8:]) != flagFreelist {
		return damaged("the list of free pages has type %#x", order.Uint16(p[8:]))
	}
	ids := p[pageHeader:]
	n := uint64(order.Uint16(p[10:]))
	if n == 0xFFFF { // then the real count comes first
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return damaged("%d free pages in a list for %d", n, len(ids)/8)
	}
	for i := range n {
		id := order.Uint64(ids[8*i:])
		if id < 2 || id >= w.meta.high || w.seen[id] {
			return damaged("page %d can't be free", id)
		}
		w.seen[id] = true
	}
	return nil
}

// page walks the tree below a page, whose keys lie in [low, high); nil is open.
func (w *walker) page(id uint64, low, high []byte, depth int) error {
	if depth > maxPageDepth {
		return damaged("page %d lies deeper than %d levels", id, maxPageDepth)
	}
	p, err := w.claim(id)
	if err != nil {
		return err
	}
	switch order.Uint16(p[8:]) {
	case flagBranch:
		return w.branch(p, low, high, depth)
	case flagLeaf:
		return w.leaf(p, low, high, depth)
	default:
		return damaged("page %d has type %#x", id, order.Uint16(p[8:]))
	}
}
