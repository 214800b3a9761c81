package alsa

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// control is a card's control device, /dev/snd/controlC?.
type control int

// maxControls bounds how many controls of a card are read. Large codecs have some
// hundreds.
const maxControls = 4096

func openControl(card int) (control, error) {
	path := fmt.Sprintf("/dev/snd/controlC%d", card)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open the mixer of card %d: %w", card, meaning(err))
	}
	return control(fd), nil
}

// list asks how many there are, and then for all of them.
func (c control) list() ([]elemID, error) {
	var count elemList
	if err := exchange(uintptr(c), "ELEM_LIST", reqElemList, &count); err != nil {
		return nil, err
	}
	if count.count == 0 {
		return nil, nil
	}
	ids := make([]elemID, min(count.count, maxControls))
	page := elemList{space: uint32(len(ids)), pids: &ids[0]}
	err := exchange(uintptr(c), "ELEM_LIST", reqElemList, &page)
	runtime.KeepAlive(ids)
	return ids[:min(int(page.used), len(ids))], err
}

func (c control) info(i *elemInfo) error { return exchange(uintptr(c), "ELEM_INFO", reqElemInfo, i) }

func (c control) read(v *elemValue) error { return exchange(uintptr(c), "ELEM_READ", reqElemRead, v) }

func (c control) write(v *elemValue) error {
	return exchange(uintptr(c), "ELEM_WRITE", reqElemWrite, v)
}

func (c control) Close() error { return unix.Close(int(c)) }
