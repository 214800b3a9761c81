package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The device mapper's commands, include/uapi/linux/dm-ioctl.h.
const (
	dmCreate  = 3
	dmRemove  = 4
	dmSuspend = 6 // and resume, without the flag
	dmLoad    = 9

	dmReadOnly = 1
)

// header is struct dm_ioctl.
type header struct {
	Version     [3]uint32
	DataSize    uint32
	DataStart   uint32
	TargetCount uint32
	OpenCount   int32
	Flags       uint32
	EventNr     uint32
	_           uint32
	Dev         uint64
	Name        [128]byte
	UUID        [129]byte
	_           [7]byte
}

// target is struct dm_target_spec, which the table's text follows.
type target struct {
	Start, Length uint64
	Status        int32
	Next          uint32
	Kind          [16]byte
}

// makeDevice makes a read-only device of one target: the first one is /dev/dm-0.
func makeDevice(name string, sectors uint64, kind, table string) error {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close() //nolint:errcheck // only its ioctls count
	if err := command(control, dmCreate, name, nil); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	var text bytes.Buffer
	t := target{Length: sectors}
	copy(t.Kind[:], kind)
	if err := binary.Write(&text, binary.NativeEndian, t); err != nil {
		return err
	}
	text.WriteString(table)
	text.Write(make([]byte, 8-text.Len()%8)) // ends it, and aligns
	err = command(control, dmLoad, name, text.Bytes())
	if err == nil {
		err = command(control, dmSuspend, name, nil)
	}
	if err != nil {
		command(control, dmRemove, name, nil) //nolint:errcheck // it may be tried again
		return fmt.Errorf("load %s: %w", table, err)
	}
	return nil
}

func command(control *os.File, number uint, name string, data []byte) error {
	h := header{Version: [3]uint32{4, 0, 0}, Flags: dmReadOnly, DataStart: uint32(unsafe.Sizeof(header{}))}
	h.DataSize = h.DataStart + uint32(len(data))
	if data != nil {
		h.TargetCount = 1
	}
	copy(h.Name[:], name)
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, h); err != nil {
		return err
	}
	b.Write(data)
	raw := append(b.Bytes(), make([]byte, 512)...) // the kernel answers in the same place
	// _IOWR(0xfd, number, struct dm_ioctl)
	request := uintptr(3<<30) | unsafe.Sizeof(h)<<16 | 0xfd<<8 | uintptr(number)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), request, uintptr(unsafe.Pointer(&raw[0]))); errno != 0 {
		return errno
	}
	return nil
}
