package ogg

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxPacket bounds a packet in bytes: what RFC 7845 section 6 asks of a reader.
const MaxPacket = 61440

const headerSize = 27 // of a page, without its lacing values

// Flags of a page (RFC 3533 section 6).
const (
	continued = 1
	first     = 2
	last      = 4
)

// Reader reads one Opus stream. It is for one goroutine.
type Reader struct {
	in       *bufio.Reader
	serial   uint32
	sequence uint32 // of the next page
	channels int

	page   [headerSize + 255 + 255*255]byte
	lacing []byte // what is left of it
	body   []byte
	flags  byte
	packet []byte
}

// NewReader reads up to the first packet of sound. Errors match ErrNotOpus,
// ErrDamaged and ErrFamily, or are in's.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReader(in)}
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := r.head(); err != nil {
		return nil, err
	}
	tags, err := r.read(true)
	if err == nil && !bytes.HasPrefix(tags, []byte("OpusTags")) {
		err = fmt.Errorf("%w: it has no tags", ErrNotOpus)
	}
	return r, unexpected(err)
}

// Channels is 1 or 2.
func (r *Reader) Channels() int { return r.channels }

// Next gives the next packet, which holds until the one after. After the last the
// error is io.EOF; others match ErrDamaged, or are the file's.
func (r *Reader) Next() ([]byte, error) { return r.read(false) }

// begin looks for the page that begins an Opus stream.
func (r *Reader) begin() error {
	for range 64 { // streams of one file
		serial, err := r.readPage()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotOpus, unexpected(err))
		}
		if r.flags&first == 0 {
			break
		}
		if bytes.HasPrefix(r.body, []byte("OpusHead")) {
			r.serial, r.sequence = serial, binary.LittleEndian.Uint32(r.page[18:])+1
			return nil
		}
	}
	return ErrNotOpus
}

// head is the identification header (RFC 7845 section 5.1).
func (r *Reader) head() error {
	h, err := r.read(false)
	if err != nil {
		return unexpected(err)
	}
	if len(h) < 19 || h[8]>>4 != 0 {
		return fmt.Errorf("%w: its header is of another version", ErrNotOpus)
	}
	if r.channels = int(h[9]); h[18] != 0 || r.channels < 1 || r.channels > 2 {
		return ErrFamily
	}
	return nil
}

// read puts a packet together. Of one that is only passed over, no more than
// MaxPacket is kept.
func (r *Reader) read(pass bool) ([]byte, error) {
	r.packet = r.packet[:0]
	for open := false; ; open = true {
		for len(r.lacing) == 0 {
			if err := r.turn(open); err != nil {
				return nil, err
			}
		}
		n := int(r.lacing[0])
		r.lacing = r.lacing[1:]
		if len(r.packet)+n <= MaxPacket {
			r.packet = append(r.packet, r.body[:n]...)
		} else if !pass {
			return nil, fmt.Errorf("%w: a packet of more than %d bytes", ErrDamaged, MaxPacket)
		}
		r.body = r.body[n:]
		if n < 255 {
			return r.packet, nil
		}
	}
}

// turn goes to the stream's next page, which continues a packet if one is open.
func (r *Reader) turn(open bool) error {
	if r.flags&last != 0 {
		return ended(open)
	}
	for {
		serial, err := r.readPage()
		if errors.Is(err, io.EOF) {
			return ended(open)
		}
		if err != nil {
			return err
		}
		if serial != r.serial {
			r.lacing, r.flags = nil, 0
			continue
		}
		if s := binary.LittleEndian.Uint32(r.page[18:]); s != r.sequence || open != (r.flags&continued != 0) || r.flags&first != 0 {
			return fmt.Errorf("%w: page %d is missing", ErrDamaged, r.sequence)
		}
		r.sequence++
		return nil
	}
}

func ended(open bool) error {
	if open {
		return fmt.Errorf("%w: it ends within a packet", ErrDamaged)
	}
	return io.EOF
}

// readPage reads a page of whatever stream. At the file's end the error is io.EOF.
func (r *Reader) readPage() (serial uint32, err error) {
	h := r.page[:headerSize]
	if _, err := io.ReadFull(r.in, h); err != nil {
		return 0, torn(err)
	}
	if !bytes.HasPrefix(h, []byte("OggS\x00")) {
		return 0, fmt.Errorf("%w: no page where one should be", ErrDamaged)
	}
	segments := int(h[26])
	lacing := r.page[headerSize:][:segments]
	if _, err := io.ReadFull(r.in, lacing); err != nil {
		return 0, torn(unexpected(err))
	}
	size := 0
	for _, n := range lacing {
		size += int(n)
	}
	body := r.page[headerSize+segments:][:size]
	if _, err := io.ReadFull(r.in, body); err != nil {
		return 0, torn(unexpected(err))
	}
	sum := binary.LittleEndian.Uint32(h[22:])
	clear(h[22:26])
	if checksum(r.page[:headerSize+segments+size]) != sum {
		return 0, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	r.flags, r.lacing, r.body = h[5], lacing, body
	return binary.LittleEndian.Uint32(h[14:]), nil
}

// torn makes a file that ends within a page a damaged one.
func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends within a page", ErrDamaged)
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// checksum is the CRC-32 of RFC 3533 section 6: polynomial 0x04c11db7, neither
// reflected nor inverted, which hash/crc32 does not have.
func checksum(b []byte) (sum uint32) {
	for _, x := range b {
		sum = sum<<8 ^ crc[byte(sum>>24)^x]
	}
	return sum
}

var crc = func() (table [256]uint32) {
	for i := range table {
		c := uint32(i) << 24
		for range 8 {
			carry := c >> 31
			c <<= 1
			c ^= carry * 0x04c11db7
		}
		table[i] = c
	}
	return table
}()
