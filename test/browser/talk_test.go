package browser

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/rig"
)

// TestPageTalks presses the buttons of the page as a person does: the loudspeaker lets
// the chime be heard, and then the browser's beeping microphone.
func TestPageTalks(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(`document.getElementById('state').dataset.state === 'live'`)
	b.await(`!document.getElementById('talk').hidden`)
	played := filepath.Join(d.Folder, "loudspeaker.raw")
	var before int64 // that somebody pairs is said, too
	if info, err := os.Stat(played); err == nil {
		before = info.Size()
	}
	b.await(numbers)
	// From here on nothing moves, whatever is said of the talk.
	const moved = `window.moved`
	eval[bool](b, `(() => {
		const ids = ['stage', 'controls', 'sound', 'talk', 'loudspeaker', 'full', 'numbers'];
		const place = () => ids.map((id) => { const r = document.getElementById(id).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; });
		const first = place();
		`+moved+` = [];
		const far = (a, b) => a.some((v, i) => Math.abs(v - b[i]) > 1);
		new MutationObserver(() => place().forEach((now, i) => { if (far(now, first[i])) `+moved+`.push(ids[i] + ' at ' + now + ' instead of ' + first[i]); }))
			.observe(document.querySelector('footer'), { subtree: true, childList: true, characterData: true, attributes: true });
		return true;
	})()`)
	b.do(chromedp.Click(chromedp.ID("loudspeaker")))
	b.await(`document.getElementById('loudspeakernote').textContent.includes('what the room hears')`)
	b.do(chromedp.Click(chromedp.ID("talk")))
	b.await(`document.getElementById('talknote').textContent.startsWith('You are live')`)
	announced := size(t, played)
	if announced-before < 2*48000 { // a chime and a name take longer than a second
		t.Errorf("the page says that it is live after %d bytes of announcement", announced-before)
	}
	for end := time.Now().Add(rig.Patience); size(t, played) < announced+2*48000; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the voice does not come out")
		}
	}
	b.await(`Number(document.getElementById('loudspeaker').dataset.played) > 48000`)
	b.await(`document.getElementById('events').innerText.includes('began to talk')`)
	b.do(chromedp.Click(chromedp.ID("talk")))
	b.await(`document.getElementById('talk').textContent === 'Talk'`)
	b.await(`document.getElementById('events').innerText.includes('stopped talking')`)
	if l := eval[[]string](b, moved); len(l) > 0 {
		t.Errorf("the layout jumps %d times: %s", len(l), l[0])
	}
	b.quiet()
	d.stop()
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
