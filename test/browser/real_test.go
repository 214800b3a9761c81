package browser

import (
	"fmt"
	"testing"

	"github.com/camd-project/camd/test/chromium"
)

// TestEveryScreenOfARealCamera goes through the screens as they are with a camera behind them.
// TestScreens has more states, with a stand-in.
func TestEveryScreenOfARealCamera(t *testing.T) {
	b, d := open(t), startDemo(t)
	o := d.pair(b)
	_, axe := serveStandin(t)
	camera := func(screen string) string { return "#/camera/" + string(d.Device) + "/" + screen }
	for _, width := range []int64{390, 1280} {
		b.Resize(width, 844, false)
		for _, s := range []struct{ name, at, shows string }{
			{"live", camera("live"), live},
			{"people", camera("people"), shows("Anna (you)")},
			{"invite", camera("invite"), shows("Their key")},
			{"history", camera("history"), `document.querySelector('camd-history .good') !== null`},
			{"settings", camera("settings"), shows("Quiet hours")},
			{"update", camera("update"), shows("This camera gets no updates over the network.")},
			{"cameras", "#/cameras", shows("Demo camera")},
			{"key", "#/key", `document.querySelector('camd-key camd-qr') !== null`},
			{"add", "#/add", shows("Camera card")},
			{"setup", "#/setup", shows("Find the label")},
		} {
			chromium.Eval[bool](b, fmt.Sprintf(`(location.hash = %q, true)`, s.at))
			b.Await(s.shows)
			b.Shot(fmt.Sprintf("real-%s-%d", s.name, width))
			if wide := chromium.Eval[int64](b, "document.documentElement.scrollWidth"); wide > width {
				t.Errorf("%s at %d scrolls sideways: %d pixels", s.name, width, wide)
			}
			chromium.Eval[bool](b, axe+"; true")
			if found := chromium.Eval[string](b, audit); found != "" {
				t.Errorf("%s at %d: axe-core found:\n%s", s.name, width, found)
			}
		}
	}
	o.screen("live")
	b.Await(live)
	b.Quiet()
}
