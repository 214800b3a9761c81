package live

import (
	"time"

	"github.com/camd-project/camd/pkg/live/packets"
)

// pictureTimeout counts how long a viewer has had no picture to start with: no frame at
// which a decoder can start has come, or the viewer goes on asking for a key frame
// although it gets what there is. The latter is a browser that is sent recovery points:
// libwebrtc shows nothing before an IDR.
type pictureTimeout struct {
	waiting   int    // seconds without a start
	asking    int    // seconds since it first asked for an IDR that has not come
	quiet     int    // seconds since it last asked
	keyframes uint64 // of the buffer, when it was last looked at
}

// quietAfter is how many seconds without a request end an asking.
const quietAfter = 3

// second is called once a second. It reports whether the viewer has waited too long.
func (p *pictureTimeout) second(t *trackSender, asked bool) bool {
	const most = int(packets.StartPatience / time.Second)
	p.waiting++
	if !t.cursor.Waiting() {
		p.waiting = 0
	}
	p.quiet++
	if asked {
		p.quiet = 0
	}
	n := t.cursor.Buffer().Keyframes()
	if n != p.keyframes || p.quiet >= quietAfter || p.asking == 0 && !asked {
		p.asking, p.keyframes = 0, n
	} else {
		p.asking++
	}
	return p.waiting >= most || p.asking >= most
}
