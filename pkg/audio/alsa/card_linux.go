package alsa

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Cards lists every capture device, by card and device number. It opens each for a
// moment and captures nothing.
func Cards() ([]CardInfo, error) { return list(In) }

// Outputs lists every playback device, as Cards does. It plays nothing.
func Outputs() ([]CardInfo, error) { return list(Out) }

func list(way Way) ([]CardInfo, error) {
	paths, err := filepath.Glob("/dev/snd/pcmC*D*" + string(way))
	if err != nil {
		return nil, err
	}
	var at [][2]int
	for _, path := range paths {
		var n [2]int
		if _, err := fmt.Sscanf(filepath.Base(path), "pcmC%dD%d"+string(way), &n[0], &n[1]); err == nil {
			at = append(at, n)
		}
	}
	slices.SortFunc(at, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	cards := make([]CardInfo, len(at))
	for i, n := range at {
		cards[i] = look(n[0], n[1], way)
	}
	return cards, nil
}

// look asks one device what it can do.
func look(card, device int, way Way) CardInfo {
	info := CardInfo{Device: Name(card, device), Card: cardName(card)}
	p, err := openDevice(card, device, way)
	if err != nil {
		info.Err = errors.Unwrap(err) // the device is named beside it
		return info
	}
	err = p.do(func(fd uintptr) error {
		all := whole()
		if err := refine(fd, all); err != nil {
			return err
		}
		rate, channels := all.intervals[paramRate], all.intervals[paramChannels]
		info.MinRate, info.MaxRate = int(rate.min), int(rate.max)
		info.MinChannels, info.MaxChannels = int(channels.min), int(channels.max)
		info.Usable = refine(fd, usable(1, 2)) == nil
		return nil
	})
	info.Err = errors.Join(err, p.Close())
	return info
}

// cardName asks the card's control device.
func cardName(card int) string {
	number := fmt.Sprintf("card %d", card)
	c, err := openControl(card)
	if err != nil {
		return number
	}
	defer c.Close() //nolint:errcheck // nothing was written
	var info cardInfo
	if err := exchange(uintptr(c), "CARD_INFO", reqCardInfo, &info); err != nil {
		return number
	}
	return text(info.name[:])
}

// text reads a C string. It comes from the device, a USB plug say, so what can't be
// printed is replaced.
func text(s []byte) string {
	s, _, _ = bytes.Cut(s, []byte{0})
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.ToValidUTF8(string(s), "?"))
}
