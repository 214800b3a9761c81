package audio

import (
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/audio/echo"
)

func TestEchoHandling(t *testing.T) {
	for _, c := range []struct {
		wanted, in, out string
		unbuilt         error
		want, why       string
	}{
		{"auto", "hw:1,0", "hw:1,3", nil, EchoCancel, "one card"},
		{"", "hw:1,0", "hw:1,0", nil, EchoCancel, "one card"},
		{"auto", "hw:1,0", "hw:0,0", nil, EchoDuck, "Half duplex: microphone and speaker are different cards"},
		{"auto", "hw:1,0", "hw:1,0", echo.ErrNotBuilt, EchoDuck, "Half duplex: this build cannot cancel echo"},
		{"cancel", "hw:1,0", "hw:0,0", nil, EchoCancel, "configuration"},
		{"cancel", "hw:1,0", "hw:1,0", echo.ErrNotBuilt, EchoDuck, "without cgo"},
		{"duck", "hw:1,0", "hw:1,0", nil, EchoDuck, "Half duplex: the configuration"},
		{"off", "hw:1,0", "hw:1,0", nil, EchoOff, "configuration"},
		{"auto", "tone", "hw:1,0", nil, EchoOff, "not both sound cards"},
		{"cancel", "hw:1,0", "null", nil, EchoOff, "not both sound cards"},
	} {
		got, why := echoHandling(c.wanted, c.in, c.out, c.unbuilt)
		if got != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%q, %s and %s, %v: %s (%s), want %s (%s)", c.wanted, c.in, c.out, c.unbuilt, got, why, c.want, c.why)
		}
	}
}

// TestEchoHandlingOfThisBuild: a build without cgo ducks.
func TestEchoHandlingOfThisBuild(t *testing.T) {
	want := EchoCancel
	if _, err := newCanceller(); err != nil {
		want = EchoDuck
	}
	if got, why := EchoHandling(DefaultConfig(), "hw:0,0", "hw:0,0"); got != want {
		t.Errorf("%s (%s), want %s", got, why, want)
	}
}
