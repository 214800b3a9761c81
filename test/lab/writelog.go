package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// WriteLog is what a disk was told to do, in the order in which it did it. Its
// prefixes are what a power cut may leave.
type WriteLog []DiskWrite

// DiskWrite is one entry of a log: a write, a discard, or a flush of what was
// written before.
type DiskWrite struct {
	Offset  int64  // in bytes, like all here
	Data    []byte // nil for a discard
	Discard int64  // so much is read as zeroes from now on
	Durable bool   // a flush, or a write that went past the disk's cache
}

// ErrWriteLog means that a file is no log of writes.
var ErrWriteLog = errors.New("no log of writes")

// The form is that of Linux's dm-log-writes (Documentation/admin-guide/
// device-mapper/log-writes.rst, drivers/md/dm-log-writes.c), which QEMU's driver
// blklogwrites writes too. All is little-endian. A sector holds the superblock:
// magic, version, number of entries (8 bytes each) and sector size (4). Each entry
// begins in a sector of its own: place, length (both in sectors), flags, length of
// inline data (8 bytes each). The data follows in sectors of its own, but for a
// discard, which has none.
const (
	logMagic   = 0x6a736677736872
	logVersion = 1

	superblockSize = 28
	entrySize      = 32

	flagFlush   = 1
	flagFUA     = 2
	flagDiscard = 4
	flagMark    = 8
)

// ParseWriteLog reads a log. The entries share its memory.
func ParseWriteLog(b []byte) (WriteLog, error) {
	count, sector, err := parseSuperblock(b)
	if err != nil {
		return nil, err
	}
	var l WriteLog
	rest := b[min(sector, uint64(len(b))):]
	for range count {
		w, used, err := parseWrite(rest, sector)
		if err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", len(l), count, err)
		}
		l, rest = append(l, w), rest[used:]
	}
	return l, nil
}

// LoggedWrites is how many entries a log has up to its last flush.
func LoggedWrites(b []byte) (int, error) {
	count, _, err := parseSuperblock(b)
	return int(count), err
}

func parseSuperblock(b []byte) (count, sector uint64, err error) {
	if len(b) < superblockSize {
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrWriteLog, len(b))
	}
	magic, version := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	if magic != logMagic || version != logVersion {
		return 0, 0, fmt.Errorf("%w: magic %#x, version %d", ErrWriteLog, magic, version)
	}
	count, sector = binary.LittleEndian.Uint64(b[16:]), uint64(binary.LittleEndian.Uint32(b[24:]))
	if sector < entrySize || sector&(sector-1) != 0 {
		return 0, 0, fmt.Errorf("%w: sectors of %d bytes", ErrWriteLog, sector)
	}
	if count > uint64(len(b))/sector { // each entry takes a sector
		return 0, 0, fmt.Errorf("%w: %d entries in %d bytes", ErrWriteLog, count, len(b))
	}
	return count, sector, nil
}

func parseWrite(b []byte, sector uint64) (w DiskWrite, used uint64, err error) {
	if uint64(len(b)) < sector {
		return w, 0, fmt.Errorf("%w: it ends in the middle", ErrWriteLog)
	}
	place, n := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	flags := binary.LittleEndian.Uint64(b[16:])
	const most = 1 << 32 // sectors: products below stay far from overflowing
	if flags&^(flagFlush|flagFUA|flagDiscard|flagMark) != 0 || place > most || n > most {
		return w, 0, fmt.Errorf("%w: flags %#x, %d sectors at %d", ErrWriteLog, flags, n, place)
	}
	w = DiskWrite{Offset: int64(place * sector), Durable: flags&(flagFlush|flagFUA) != 0}
	if flags&flagDiscard != 0 {
		w.Discard = int64(n * sector)
		return w, sector, nil
	}
	used = sector + n*sector
	if used > uint64(len(b)) {
		return w, 0, fmt.Errorf("%w: it ends in the middle of data", ErrWriteLog)
	}
	w.Data = b[sector:used:used]
	return w, used, nil
}

// Apply does to an image what the entries did to the disk.
func (l WriteLog) Apply(image []byte) error {
	for i, w := range l {
		if w.Offset+max(w.Discard, int64(len(w.Data))) > int64(len(image)) {
			return fmt.Errorf("entry %d of %d: beyond the disk's end", i, len(l))
		}
		copy(image[w.Offset:], w.Data)
		clear(image[w.Offset : w.Offset+w.Discard])
	}
	return nil
}

// Durable is the length of the longest prefix of n entries at most that a power cut
// can't take back.
func (l WriteLog) Durable(n int) int {
	for ; n > 0 && !l[n-1].Durable; n-- {
	}
	return n
}
