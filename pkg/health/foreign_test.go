package health

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/foreign"
)

// Whatever a broker, a device or a library has to say gets into a status as one line
// that has an end and acts on nothing.
func TestForeignTextInAReason(t *testing.T) {
	c := NewBoard(slog.New(slog.DiscardHandler)).Condition("broker")
	for _, evil := range []string{"x\x1b[31m", "a\r\nb\tc", "\u202eannA", "\u2028", "\u009b", "\xff", strings.Repeat("a", 50_000)} {
		c.Set(Failed, evil)
		c.Set(Failed, evil) // and is the same the second time
		if got := c.Status().Reason; got != foreign.Line(evil) || got == evil {
			t.Errorf("%.40q becomes %.40q", evil, got)
		}
	}
}
