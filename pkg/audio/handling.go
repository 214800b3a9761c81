package audio

import (
	"cmp"
	"time"

	"github.com/camd-project/camd/pkg/audio/alsa"
	"github.com/camd-project/camd/pkg/audio/echo"
)

// How the speaker's sound is kept out of the microphone's; also values of Config.Echo.
const (
	EchoCancel = "cancel" // it is removed: both sides may speak at once
	EchoDuck   = "duck"   // half duplex: the microphone is almost silent meanwhile
	EchoOff    = "off"    // it is not
)

// tail is how long the echo of a room may last.
const tail = 200 * time.Millisecond

// canceller removes an echo; see echo.Canceller.
type canceller interface {
	SetDelay(samples int)
	Cancel(out, mic, far []int16)
	Close()
}

func newCanceller() (canceller, error) { return echo.New(tail) }

// EchoHandling returns how the echo of a speaker in a microphone is handled, and why, by the
// names of both devices. If a speaker on the microphone's card turns out to have no stable
// delay, the microphone ducks.
func EchoHandling(cfg Config, microphone, speaker string) (handling, why string) {
	c, err := newCanceller()
	if err == nil {
		c.Close()
	}
	return echoHandling(cfg.Echo, microphone, speaker, err)
}

// echoHandling is EchoHandling; unbuilt is why nothing can be cancelled, or nil.
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
