package audio

import (
	"cmp"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/echo"
)

// What keeps the speaker's sound out of the microphone's; values of Config.Echo too.
const (
	EchoCancel = "cancel" // it is taken out: both sides may speak at once
	EchoDuck   = "duck"   // half duplex: the microphone is all but silent meanwhile
	EchoOff    = "off"    // nothing
)

// tail is how long the echo of a room may last.
const tail = 200 * time.Millisecond

// canceller is what takes an echo out; see echo.Canceller.
type canceller interface {
	SetDelay(samples int)
	Cancel(out, mic, far []int16)
	Close()
}

func newCanceller() (canceller, error) { return echo.New(tail) }

// EchoHandling returns how the echo of a speaker in a microphone is dealt with, and why,
// by the names of both devices. A speaker on the microphone's card may still turn out
// to have no stable delay: then the microphone ducks.
func EchoHandling(cfg Config, microphone, speaker string) (handling, why string) {
	c, err := newCanceller()
	if err == nil {
		c.Close()
	}
	return echoHandling(cfg.Echo, microphone, speaker, err)
}

// echoHandling is EchoHandling, where unbuilt tells why nothing can be cancelled.
func echoHandling(wanted, microphone, speaker string, unbuilt error) (handling, why string) {
	in, _, noIn := alsa.ParseName(microphone)
	out, _, noOut := alsa.ParseName(speaker)
	const configured = "the configuration says so"
	switch {
	case wanted == EchoOff:
		return EchoOff, configured
	case cmp.Or(noIn, noOut) != nil:
		return EchoOff, "they are not both sound cards, so no sound reaches the microphone"
	case wanted == EchoDuck:
		return EchoDuck, "Half duplex: " + configured
	case unbuilt != nil:
		return EchoDuck, "Half duplex: " + unbuilt.Error()
	case wanted == EchoCancel:
		return EchoCancel, configured
	case in != out:
		return EchoDuck, "Half duplex: microphone and speaker are different cards, whose clocks drift apart"
	}
	return EchoCancel, "microphone and speaker are one card"
}
