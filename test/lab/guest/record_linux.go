package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/agent"
)

// patience is the largest buffer that a recording asks for: four seconds, so that a
// busy machine loses nothing.
const patience = 200 * period

// Record begins to record, for as long as the guest lives. What comes then is in the
// file within a period.
func (g *Guest) Record(r agent.Recording, _ *agent.Empty) error {
	in, err := os.OpenFile(r.Device, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	out, err := os.Create(r.Path)
	if err == nil {
		err = configure(in.Fd(), patience) // a blocking descriptor from now on
	}
	if err != nil {
		in.Close()
		return fmt.Errorf("record %s: %w", r.Device, err)
	}
	go func() {
		defer in.Close()
		defer out.Close()
		fmt.Println("lab: recording ends:", record(out, in))
	}()
	return nil
}

// record copies period after period; the first read starts the card. After an overrun
// it begins anew, and says so.
func record(out *os.File, in *os.File) error {
	samples := make([]byte, 2*period)
	for {
		n, err := unix.Read(int(in.Fd()), samples)
		switch {
		case errors.Is(err, unix.EPIPE):
			fmt.Println("lab: the recording has a gap")
			err = ioctl(in.Fd(), prepare, nil)
		case errors.Is(err, unix.EINTR):
			err = nil
		}
		if err != nil {
			return err
		}
		if _, err := out.Write(samples[:max(n, 0)]); err != nil {
			return err
		}
	}
}
