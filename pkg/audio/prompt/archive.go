package prompt

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

const (
	magic      = "camdclip"
	version    = 1
	headerSize = 52

	maxSize    = 4 << 20
	maxName    = 64
	maxPackets = 500 // of a clip: 10 s
)

//go:generate go run ../../../cmd/camops prompts --out default.clips

//go:embed default.clips
var embedded []byte

// Archive is a set of named clips. It never changes; any goroutine may use it.
type Archive struct{ clips []clip }

// clip is one clip, whose packets have been looked at.
type clip struct {
	name    string
	packets int
	data    []byte // the packets, each behind its length
}

// Default returns the archive that is built in.
var Default = sync.OnceValues(func() (*Archive, error) { return Parse(embedded) })

// Open returns the archive in a file, or the default one if path is empty.
func Open(path string) (*Archive, error) {
	if path == "" {
		return Default()
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open archive of spoken prompts: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read archive of spoken prompts: %w", err)
	}
	a, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return a, nil
}

// Parse reads an archive, every packet's head included. The archive keeps data,
// which must not change any more.
func Parse(data []byte) (*Archive, error) {
	count, index, packets, err := parseHeader(data)
	if err != nil {
		return nil, err
	}
	a := &Archive{clips: make([]clip, 0, count)}
	for range count {
		var c clip
		if c, index, err = parseEntry(index); err != nil {
			return nil, err
		}
		if n := len(a.clips); n > 0 && a.clips[n-1].name >= c.name {
			return nil, fmt.Errorf("%w: %s comes after %s", ErrIndex, c.name, a.clips[n-1].name)
		}
		if c.data, packets, err = cut(packets, c.packets); err != nil {
			return nil, fmt.Errorf("%w, in %s", err, c.name)
		}
		a.clips = append(a.clips, c)
	}
	if len(index) > 0 || len(packets) > 0 {
		return nil, fmt.Errorf("%w: %d bytes of it and %d of the packets belong to no clip", ErrIndex, len(index), len(packets))
	}
	return a, nil
}

// parseHeader splits data. What count it returns fits into the index.
func parseHeader(data []byte) (count int, index, packets []byte, err error) {
	if len(data) > maxSize {
		return 0, nil, nil, ErrTooLong
	}
	if !bytes.HasPrefix(data, []byte(magic)) {
		return 0, nil, nil, ErrFormat
	}
	if len(data) < headerSize {
		return 0, nil, nil, ErrLength
	}
	if v := binary.BigEndian.Uint16(data[8:]); v != version {
		return 0, nil, nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	body := data[headerSize:]
	indexSize, packetSize := uint64(binary.BigEndian.Uint32(data[12:])), uint64(binary.BigEndian.Uint32(data[16:]))
	if indexSize+packetSize != uint64(len(body)) {
		return 0, nil, nil, ErrLength
	}
	if sha256.Sum256(body) != [sha256.Size]byte(data[20:]) {
		return 0, nil, nil, ErrChecksum
	}
	count, index, packets = int(binary.BigEndian.Uint16(data[10:])), body[:indexSize], body[indexSize:]
	if count > len(index) {
		return 0, nil, nil, fmt.Errorf("%w: it has %d bytes for %d clips", ErrIndex, len(index), count)
	}
	return count, index, packets, nil
}

// parseEntry reads the index's next entry.
func parseEntry(index []byte) (c clip, rest []byte, err error) {
	if len(index) == 0 || len(index) < 1+int(index[0])+2 {
		return clip{}, nil, fmt.Errorf("%w: it ends inside an entry", ErrIndex)
	}
	end := 1 + int(index[0])
	c = clip{name: string(index[1:end]), packets: int(binary.BigEndian.Uint16(index[end:]))}
	if !ValidName(c.name) {
		return clip{}, nil, fmt.Errorf("%w: %q is no name of a clip", ErrIndex, c.name)
	}
	if c.packets < 1 || c.packets > maxPackets {
		return clip{}, nil, fmt.Errorf("%w: %s has %d packets", ErrIndex, c.name, c.packets)
	}
	return c, index[end+2:], nil
}

// ValidName reports whether a clip may have this name.
func ValidName(name string) bool {
	if len(name) > maxName {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// cut splits off the first n packets.
func cut(packets []byte, n int) (these, rest []byte, err error) {
	rest = packets
	for range n {
		var p []byte
		if p, rest, err = next(rest); err != nil {
			return nil, nil, err
		}
		if !oneFrame(p) {
			return nil, nil, ErrPacket
		}
	}
	return packets[:len(packets)-len(rest)], rest, nil
}

var errCut = fmt.Errorf("%w: it ends inside a packet", ErrPacket)

// next splits off one packet.
func next(packets []byte) (packet, rest []byte, err error) {
	if len(packets) == 0 {
		return nil, nil, errCut
	}
	size, head := int(packets[0]), 1
	if size >= 252 {
		if len(packets) == 1 {
			return nil, nil, errCut
		}
		size, head = size+4*int(packets[1]), 2
	}
	if size > len(packets)-head {
		return nil, nil, errCut
	}
	end := head + size
	return packets[head:end:end], packets[end:], nil
}

// oneFrame reports whether a packet's first byte says one mono frame of 20 ms
// (RFC 6716 section 3.1).
func oneFrame(packet []byte) bool {
	if len(packet) == 0 || packet[0]&7 != 0 { // stereo, or more frames than one
		return false
	}
	switch config := packet[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return config%4 == 1
	case config < 16: // hybrid: 10, 20 ms
		return config%2 == 1
	default: // CELT: 2.5, 5, 10, 20 ms
		return config%4 == 3
	}
}

// Names returns the names of all clips, in order.
func (a *Archive) Names() []string {
	names := make([]string, len(a.clips))
	for i, c := range a.clips {
		names[i] = c.name
	}
	return names
}

func (a *Archive) find(name string) (int, bool) {
	return slices.BinarySearchFunc(a.clips, name, func(c clip, name string) int { return strings.Compare(c.name, name) })
}

func (a *Archive) has(name string) bool {
	_, ok := a.find(name)
	return ok
}

// Clip returns a clip's packets of 20 ms, for reading only, or ErrMissing.
func (a *Archive) Clip(name string) ([][]byte, error) {
	i, ok := a.find(name)
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	c := a.clips[i]
	packets := make([][]byte, c.packets)
	rest := c.data
	for i := range packets {
		packets[i], rest, _ = next(rest) // Parse has seen that it holds
	}
	return packets, nil
}
