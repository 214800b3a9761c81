package lens

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/setup/code"
	"github.com/camd-project/camd/pkg/setup/lens/lenstest"
)

// As a process the test is what camd runs to read codes, or one that fails.
func TestMain(m *testing.M) {
	switch os.Getenv("CAMD_TEST_READER") {
	case "":
		os.Exit(m.Run())
	case "serve":
		if err := Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	case "panic":
		panic("the library is broken")
	case "hang":
		time.Sleep(time.Hour) // select {} would end it: the runtime calls that a deadlock
	}
}

func testProcess(t *testing.T, kind string) *Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := NewProcess(exe)
	p.env = []string{"CAMD_TEST_READER=" + kind}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func testCode(t testing.TB) code.Sealed {
	t.Helper()
	b := code.Body{Sig: make([]byte, code.KeySize), Enc: make([]byte, code.KeySize), Proof: make([]byte, code.ProofSize),
		Broker: &code.Broker{URL: "mqtts://broker.home"}}
	s, err := code.Seal([16]byte{1}, "abcdefghijklmnopqrstuvwxyz", b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fakeEye shows one picture after the other, and the last one for ever.
type fakeEye struct {
	pictures []*image.Gray
	err      error
	plain    []bool
	looks    int
}

func (e *fakeEye) Gray(context.Context) (*image.Gray, error) {
	e.looks++
	if e.err != nil {
		return nil, e.err
	}
	m := e.pictures[0]
	if len(e.pictures) > 1 {
		e.pictures = e.pictures[1:]
	}
	return m, nil
}

func (e *fakeEye) AvoidH264(on bool) { e.plain = append(e.plain, on) }

// fakeFinder reads a picture's text off a list, by its first pixels.
type fakeFinder struct {
	texts  []string
	err    error
	closed int
}

func (f *fakeFinder) Find(_ context.Context, m *image.Gray) (string, error) {
	return f.texts[m.Pix[0]], f.err
}

func (f *fakeFinder) Close() error { f.closed++; return nil }

func numbered(n int) (l []*image.Gray) {
	for i := range n {
		m := image.NewGray(image.Rect(0, 0, 8, 8))
		m.Pix[0] = byte(i)
		l = append(l, m)
	}
	return l
}

// fakeWindow opens each time a context comes.
type fakeWindow chan context.Context

func (w fakeWindow) Await(ctx context.Context) (context.Context, error) {
	select {
	case open := <-w:
		ctx, cancel := context.WithCancel(ctx)
		context.AfterFunc(open, cancel)
		return ctx, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fakeTaker takes the n-th code.
type fakeTaker struct {
	n   int
	got []code.Sealed
}

func (f *fakeTaker) Take(_ context.Context, c code.Sealed) bool {
	f.got = append(f.got, c)
	return len(f.got) == f.n
}

type bench struct {
	eye    *fakeEye
	window fakeWindow
	taker  *fakeTaker
	finder *fakeFinder
	board  *health.Board
	end    func()
}

func newBench(t *testing.T, pictures []*image.Gray, texts ...string) *bench {
	b := &bench{eye: &fakeEye{pictures: pictures}, window: make(fakeWindow), taker: &fakeTaker{n: 1}, finder: &fakeFinder{texts: texts},
		board: health.NewBoard(slog.New(slog.DiscardHandler))}
	l := New(slog.New(slog.DiscardHandler), b.board, b.eye, b.window, b.taker, b.finder)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, func() {}) }()
	b.end = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	}
	return b
}

func (b *bench) condition() health.Status { return b.board.Snapshot()[0] }

func TestACodeIsTakenAndNoneIsLookedForAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testCode(t)
		parts := s.Parts()
		texts := append([]string{"", "https://example.com"}, parts...)
		b := newBench(t, numbered(len(texts)), texts...)
		pass(time.Minute)
		if b.eye.looks > 0 || len(b.eye.plain) > 0 {
			t.Fatalf("looked %d times while the window was closed", b.eye.looks)
		}
		open, cancel := context.WithCancel(t.Context())
		b.window <- open
		pass(time.Minute)
		looks := b.eye.looks
		if len(b.taker.got) != 1 || string(b.taker.got[0]) != string(s) {
			t.Errorf("%d codes were taken", len(b.taker.got))
		}
		if looks != len(texts) || fmt.Sprint(b.eye.plain) != "[true false]" || b.finder.closed != 1 {
			t.Errorf("looked %d times, plain %v, closed %d times", looks, b.eye.plain, b.finder.closed)
		}
		cancel()
		pass(time.Second)
		again, cancel := context.WithCancel(t.Context())
		b.window <- again
		pass(time.Second)
		if b.eye.looks == looks {
			t.Error("nothing is looked for in the next window")
		}
		cancel()
		pass(time.Second)
		looks = b.eye.looks
		pass(time.Minute)
		if b.eye.looks != looks || fmt.Sprint(b.eye.plain) != "[true false true false]" {
			t.Errorf("after the window looked %d times, plain %v", b.eye.looks-looks, b.eye.plain)
		}
		b.end()
	})
}

// camd ends, or begins again, while the window is open.
func TestTheEndInAnOpenWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, numbered(1), "")
		b.window <- t.Context()
		pass(time.Second)
		b.end()
	})
	// A window that is open still.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := New(slog.New(slog.DiscardHandler), health.NewBoard(slog.New(slog.DiscardHandler)), &fakeEye{}, always{}, &fakeTaker{}, &fakeFinder{})
	if err := l.Run(ctx, func() {}); err != nil {
		t.Error(err)
	}
}

// always is a window that is open, whatever has ended.
type always struct{}

func (always) Await(ctx context.Context) (context.Context, error) { return ctx, nil }

func TestWhatIsNotTakenIsLookedForOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := testCode(t), testCode(t)
		texts := append(first.Parts(), second.Parts()...)
		b := newBench(t, numbered(len(texts)), texts...)
		b.taker.n = 2
		b.window <- t.Context()
		pass(time.Minute)
		if len(b.taker.got) != 2 || string(b.taker.got[1]) != string(second) {
			t.Errorf("%d codes came", len(b.taker.got))
		}
		b.end()
	})
}

func TestPicturesAreAFewASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, numbered(1), "")
		b.window <- t.Context()
		pass(10 * time.Second)
		if b.eye.looks < 40 || b.eye.looks > 60 {
			t.Errorf("looked %d times in ten seconds", b.eye.looks)
		}
		b.end()
	})
}

func TestWhatKeepsItFromReadingIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		eye, finder error
		want        string
	}{
		"H.264":     {ErrCoded, nil, "H.264 alone"},
		"no camera": {errors.New("away"), nil, "gives no picture"},
		"reader":    {nil, fmt.Errorf("%w: killed", errProcess), "reader of codes fails"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, numbered(1), "")
			b.eye.err, b.finder.err = c.eye, c.finder
			open, cancel := context.WithCancel(t.Context())
			b.window <- open
			pass(blindFor - time.Second)
			if s := b.condition(); s.State != health.OK {
				t.Errorf("%s: said at once: %v", name, s)
			}
			pass(2 * time.Second)
			if s := b.condition(); s.State != health.Degraded || !strings.Contains(s.Reason, c.want) {
				t.Errorf("%s: %v", name, s)
			}
			cancel()
			pass(time.Second)
			if s := b.condition(); s.State != health.OK {
				t.Errorf("%s: still said after the window: %v", name, s)
			}
			b.end()
		})
	}
}

func TestACodeOfALaterVersionIsNoCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, numbered(1), "CAMDC2:AAA")
		b.window <- t.Context()
		pass(time.Minute)
		if len(b.taker.got) > 0 {
			t.Error("it was taken")
		}
		b.end()
	})
}

func TestProcessFindsCodes(t *testing.T) {
	p := testProcess(t, "serve")
	for i, want := range testCode(t).Parts() {
		m, err := lenstest.Shot{Width: 320, Height: 240, Screen: 200, Blur: 0.5}.Take(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Find(t.Context(), m); err != nil || got != want {
			t.Fatalf("part %d: %q, %v", i, got, err)
		}
	}
	blank := image.NewGray(image.Rect(0, 0, 4000, 3000)) // larger than what is looked at
	if got, err := p.Find(t.Context(), blank); err != nil || got != "" {
		t.Fatalf("a blank picture: %q, %v", got, err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Find(t.Context(), blank); err != nil || got != "" {
		t.Fatalf("after Close: %q, %v", got, err)
	}
}

// The library fails or hangs: camd goes on, and the next picture gets another process.
func TestProcessThatFails(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 64, 64))
	p := testProcess(t, "panic")
	for range 2 {
		if _, err := p.Find(t.Context(), m); !errors.Is(err, errProcess) || p.cmd != nil {
			t.Fatalf("a reader that panics: %v", err)
		}
	}
	p = testProcess(t, "hang")
	p.patience = time.Millisecond
	for range 2 {
		if _, err := p.Find(t.Context(), m); !errors.Is(err, errProcess) || p.cmd != nil {
			t.Fatalf("a reader that hangs: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.patience = time.Hour
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := p.Find(ctx, m); !errors.Is(err, errProcess) || p.cmd != nil {
		t.Fatalf("the window closes meanwhile: %v", err)
	}
	if _, err := NewProcess("/nowhere/camd").Find(t.Context(), m); !errors.Is(err, errProcess) {
		t.Fatalf("no program: %v", err)
	}
}

func TestServeRefuses(t *testing.T) {
	for _, in := range []string{"\x00", "\x00\x00\x00\x01", "\x00\x01\x00\x00", "\xff\xff\xff\xff", "\x00\x02\x00\x02abc"} {
		if err := Serve(strings.NewReader(in), io.Discard); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
	if err := Serve(strings.NewReader(""), io.Discard); err != nil {
		t.Error(err)
	}
}

// FuzzExchange: whatever a process that was taken over answers.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("\x00\x03abc"))
	f.Add([]byte("\xff\xff"))
	m := image.NewGray(image.Rect(0, 0, 8, 8))
	f.Fuzz(func(t *testing.T, answer []byte) {
		text, err := exchange(io.Discard, strings.NewReader(string(answer)), m)
		if len(text) > MaxText || err == nil && len(text) > len(answer)-2 {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
	})
}

// pass lets time pass in a bubble, and what it brings be done.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
