// Command tpmrelay runs in the guest and gives it a TPM: /dev/tpm0 and /dev/tpmrm0 of the
// kernel, whose commands an emulator on the host answers. The address of that is its
// argument.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: tpmrelay HOST:PORT")
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "tpmrelay:", relay(os.Args[1]))
	os.Exit(1)
}

// Of linux/vtpm_proxy.h.
const (
	newDevice = 3<<30 | 20<<16 | 0xa1<<8 // VTPM_PROXY_IOC_NEW_DEV
	flagTPM2  = 1
	// setLocality is a command for the emulator itself. There is one locality here.
	setLocality = 0x20001000
)

// device is struct vtpm_proxy_new_dev.
type device struct{ flags, number, fd, major, minor uint32 }

// relay answers the kernel's commands until the emulator is gone, and says how it ended.
func relay(address string) error {
	emulator, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	control, err := os.OpenFile("/dev/vtpmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	d := device{flags: flagTPM2}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), newDevice, uintptr(unsafe.Pointer(&d))); errno != 0 { //nolint:gosec // an ioctl takes an address
		return fmt.Errorf("make a TPM: %w", errno)
	}
	kernel := os.NewFile(uintptr(d.fd), "tpm")
	command := make([]byte, 4096)
	for {
		n, err := kernel.Read(command)
		if err != nil {
			return fmt.Errorf("read a command: %w", err)
		}
		answer, err := ask(emulator, command[:n])
		if err != nil {
			return fmt.Errorf("ask the emulator: %w", err)
		}
		if _, err := kernel.Write(answer); err != nil {
			return fmt.Errorf("write an answer: %w", err)
		}
	}
}

// ask has the emulator answer one command. Both have a header: tag, size, code.
func ask(emulator net.Conn, command []byte) ([]byte, error) {
	if len(command) >= 10 && binary.BigEndian.Uint32(command[6:]) == setLocality {
		return []byte{0x80, 1, 0, 0, 0, 10, 0, 0, 0, 0}, nil
	}
	if _, err := emulator.Write(command); err != nil {
		return nil, err
	}
	answer := make([]byte, 10, 4096)
	if _, err := io.ReadFull(emulator, answer); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(answer[2:])
	if size < 10 || size > uint32(cap(answer)) {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	answer = answer[:size]
	_, err := io.ReadFull(emulator, answer[10:])
	return answer, err
}
