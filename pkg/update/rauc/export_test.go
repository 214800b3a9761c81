package rauc

import (
	"bytes"
	"encoding/binary"

	"github.com/camd-project/camd/pkg/update/release"
)

// Content is the parser of signatures, of which each ends a bundle.
func Content(der []byte) ([]byte, error) {
	b := binary.BigEndian.AppendUint64(bytes.Clone(der), uint64(len(der)))
	return release.Manifest(bytes.NewReader(b), int64(len(b)))
}
