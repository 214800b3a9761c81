package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// blockSize is that of the disks that are made.
const blockSize = 512

// Partition is an entry of a GUID partition table (UEFI specification, 5.3.3).
type Partition struct {
	Name       string
	UUID       string
	Start, End int64 // bytes from the beginning of the disk; End is behind the last
}

// Partitions reads the table of a disk's image.
func Partitions(disk []byte) ([]Partition, error) {
	if len(disk) < 2*blockSize || string(disk[blockSize:blockSize+8]) != "EFI PART" {
		return nil, errors.New("no GUID partition table")
	}
	header := disk[blockSize:]
	at := int64(binary.LittleEndian.Uint64(header[72:])) * blockSize
	count, size := int64(binary.LittleEndian.Uint32(header[80:])), int64(binary.LittleEndian.Uint32(header[84:]))
	if size < 128 || size > 4096 || count > 1024 || at < 0 || at+count*size > int64(len(disk)) {
		return nil, errors.New("the GUID partition table does not fit")
	}
	var all []Partition
	for i := range count {
		entry := disk[at+i*size:][:size]
		if [16]byte(entry[:16]) == [16]byte{} {
			continue // unused
		}
		all = append(all, Partition{
			Name:  name(entry[56:128]),
			UUID:  uuid([16]byte(entry[16:32])),
			Start: int64(binary.LittleEndian.Uint64(entry[32:])) * blockSize,
			End:   (int64(binary.LittleEndian.Uint64(entry[40:])) + 1) * blockSize,
		})
	}
	return all, nil
}

// uuid writes a GUID, whose first three numbers are little-endian.
func uuid(b [16]byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b[:]),
		binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:])
}

func name(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		u := binary.LittleEndian.Uint16(b)
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
