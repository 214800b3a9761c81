package usbcam

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerLen is the length of every USB/IP message before its data.
const headerLen = 48

// maxOut limits the data of one OUT request: the camera takes control data only,
// whose length is 16 bits wide.
const maxOut = 1 << 16

// USB/IP commands (usbip_protocol.rst).
const (
	cmdSubmit, cmdUnlink = 1, 2
	retSubmit, retUnlink = 3, 4
)

// Errno values that go over the wire, negated.
const (
	statusStall    = -32  // EPIPE
	statusUnlinked = -104 // ECONNRESET
)

// request is one message of the kernel.
type request struct {
	unlink   bool
	seq      uint32
	victim   uint32 // unlink: the request that is to be given up
	in       bool   // device to host
	endpoint uint32
	length   uint32 // of the data that is sent or wanted, in bytes
	setup    [8]byte
	data     []byte // OUT only
}

// readRequest reads the next message with its data.
func readRequest(r io.Reader) (request, error) {
	var head [headerLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return request{}, err
	}
	q, err := parseHeader(head)
	if err != nil || q.unlink || q.in || q.length == 0 {
		return q, err
	}
	q.data = make([]byte, q.length)
	if _, err := io.ReadFull(r, q.data); err != nil {
		return request{}, fmt.Errorf("read data of request %d: %w", q.seq, err)
	}
	return q, nil
}

func parseHeader(b [headerLen]byte) (request, error) {
	word := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	q := request{seq: word(4)}
	switch word(0) {
	case cmdUnlink:
		q.unlink, q.victim = true, word(20)
		return q, nil
	case cmdSubmit:
	default:
		return request{}, fmt.Errorf("unknown USB/IP command %#x", word(0))
	}
	q.in, q.endpoint, q.length = word(12) == 1, word(16), word(24)
	copy(q.setup[:], b[40:])
	if !q.in && q.length > maxOut {
		return request{}, fmt.Errorf("request %d sends %d bytes, more than %d", q.seq, q.length, maxOut)
	}
	return q, nil
}

// appendSubmitted appends the answer to a submit. actual counts the bytes taken
// (OUT) or is len(data) (IN).
func appendSubmitted(b []byte, seq uint32, status int32, actual int, data []byte) []byte {
	b = appendWords(b, retSubmit, seq, 0, 0, 0, uint32(status), uint32(actual), 0, 0, 0, 0, 0)
	return append(b, data...)
}

func appendUnlinked(b []byte, seq uint32, status int32) []byte {
	return appendWords(b, retUnlink, seq, 0, 0, 0, uint32(status), 0, 0, 0, 0, 0, 0)
}

func appendWords(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}
