package capture

import (
	"image"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/capture/h264"
)

// lowFault is what health says while the second stream can't be encoded.
const lowFault = "The second, smaller stream can't be encoded, so viewers with a slow connection get the first one; the log has the details."

// lowRetry is how long after a fault the second stream is tried again.
const lowRetry = 10 * time.Second

// The second stream leaves pictures out while the camera's goroutine is busy for more than
// this part of the time between two pictures, so that the first stream loses none. But it
// gets at least one picture in lowLeast.
const (
	lowBusy  = 0.75
	lowLeast = time.Second
)

// lowPictures is how many pictures are on their way to the second encoder at most.
const lowPictures = 2

// lowEncoding makes the second stream. The camera's goroutine only scales the pictures. A
// goroutine of its own encodes them while they are wanted; pictures that come while that one
// is behind are left out.
type lowEncoding struct {
	encoding // of that goroutine while it runs
	tempo    tempo
	lines    int // of its pictures, at most
	source   image.Point
	scaler   *h264.Scaler
	taken    time.Duration // when the last picture was taken

	free   chan *image.YCbCr // pictures to scale into
	jobs   chan lowJob       // nil: the goroutine does not run
	done   chan struct{}     // closed when it has ended
	failed atomic.Pointer[error]

	fault error         // nil: it works
	retry time.Duration // when it is tried again after a fault
}

// lowJob is a picture to encode.
type lowJob struct {
	picture *image.YCbCr
	pts     time.Duration
	rate    float64
}

func newLowEncoding(o *Output, claim float64, cfg Config) *lowEncoding {
	l := &lowEncoding{tempo: tempo{claim: claim, want: float64(min(cfg.Low.Rate, cfg.Rate))}, lines: cfg.Low.Height}
	l.encoding = newEncoding(o, l.tempo, cfg)
	return l
}

// resize tries the encoder for a source of another size.
func (l *lowEncoding) resize(source image.Point, now time.Duration) {
	l.close()
	l.source, l.size = source, lowSize(source, l.lines)
	var err error
	if l.scaler, err = h264.NewScaler(source, l.size); err == nil {
		err = l.try(l.tempo.rate())
	}
	l.report(err, now)
}

// lowSize returns the size of the second stream's pictures: of the source's shape, with at
// most so many lines, and even.
func lowSize(source image.Point, lines int) image.Point {
	h := min(lines, source.Y) &^ 1
	return image.Pt((source.X*h+source.Y)/(2*source.Y)*2, h)
}

// report notes whether the encoder works. While it doesn't, it has no format, so that nobody
// is sent to it.
func (l *lowEncoding) report(err error, now time.Duration) {
	if l.fault = err; err == nil {
		return
	}
	l.retry = now + lowRetry
	l.output.format.Store(nil)
	l.output.log.Warn("the second stream can't be encoded", "error", err)
}

// keep reports whether the second stream takes a picture. It ends the goroutine when nobody
// wants any, and after a fault.
func (l *lowEncoding) keep(p picture) bool {
	kept := l.tempo.keep(p.pts, p.lost)
	if err := l.failed.Swap(nil); err != nil {
		l.close()
		l.report(*err, p.pts)
	}
	if l.fault != nil && p.pts >= l.retry {
		l.resize(l.source, p.pts)
	}
	if !l.output.wanted() {
		l.close()
		l.tempo.kept = meter{}
	}
	return kept && l.fault == nil && l.output.wanted()
}

// take gives a picture to the goroutine, unless that one is behind, or the camera's was busy
// with the first stream for too long. It copies what it needs of the picture.
func (l *lowEncoding) take(pic *image.YCbCr, pts, busy time.Duration) {
	limit := time.Duration(lowBusy * float64(time.Second) / l.tempo.rate())
	if busy > limit && pts-l.taken < lowLeast {
		return
	}
	if l.jobs == nil {
		l.start()
	}
	select {
	case m := <-l.free:
		l.taken = pts
		l.tempo.sent(pts)
		if err := l.scaler.Scale(m, pic); err != nil {
			l.failed.Store(&err)
		}
		l.jobs <- lowJob{m, pts, l.tempo.rate()} // there is room for all pictures
	default:
	}
}

func (l *lowEncoding) start() {
	l.free, l.jobs, l.done = make(chan *image.YCbCr, lowPictures), make(chan lowJob, lowPictures), make(chan struct{})
	for range lowPictures {
		l.free <- image.NewYCbCr(image.Rectangle{Max: l.size}, image.YCbCrSubsampleRatio420)
	}
	go l.run(l.free, l.jobs, l.done)
}

// run encodes until close. After a fault it only gives the pictures back.
func (l *lowEncoding) run(free chan<- *image.YCbCr, jobs <-chan lowJob, done chan<- struct{}) {
	defer close(done)
	defer l.encoding.close()
	for j := range jobs {
		if l.failed.Load() == nil {
			if err := l.encode(j.picture, j.pts, j.rate); err != nil {
				l.failed.Store(&err)
			}
		}
		free <- j.picture // has room
	}
}

// close ends the goroutine. When it returns, the last picture has been published.
func (l *lowEncoding) close() {
	if l.jobs == nil {
		return
	}
	close(l.jobs)
	<-l.done
	l.free, l.jobs, l.done = nil, nil, nil
}
