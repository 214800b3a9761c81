package command

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal returns a pseudo-terminal of a size; said ends it and returns what was written.
func terminal(t *testing.T, columns, lines uint16) (near *os.File, said func() string) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(far.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if near, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: lines}); err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(far) // EIO when nobody holds the other end any more
		_ = far.Close()
		text <- string(b)
	}()
	return near, func() string {
		_ = near.Close()
		return <-text
	}
}

// wrapped is a writer of camd's own around a terminal.
type wrapped struct{ io.Writer }

func (w wrapped) Unwrap() io.Writer { return w.Writer }

// A code that lines would break is not drawn, and a smaller one is where that will do.
func TestPrintQRInANarrowWindow(t *testing.T) {
	key := strings.Repeat("a", 580) // as long as a key
	for _, c := range []struct {
		columns uint16
		want    int // as wide as it is drawn; 0: not
	}{{120, 101}, {101, 101}, {100, 89}, {89, 89}, {88, 0}, {80, 0}, {0, 101}} { // one that does not say its size
		near, said := terminal(t, c.columns, 24)
		if err := PrintQR(wrapped{near}, key); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(said()), "\r", ""), "\n")
		first := lines[len(lines)/2]
		switch {
		case c.want > 0 && utf8.RuneCountInString(first) != c.want:
			t.Errorf("%d columns: drawn with %d", c.columns, utf8.RuneCountInString(first))
		case c.want == 0 && (len(lines) != 1 || !strings.Contains(first, "needs a window of 89 columns, and this one has "+strconv.Itoa(int(c.columns)))):
			t.Errorf("%d columns: %q", c.columns, lines)
		}
	}
}

func TestSize(t *testing.T) {
	near, said := terminal(t, 80, 24)
	if w, h, ok := Size(wrapped{near}); !ok || w != 80 || h != 24 || !Terminal(wrapped{near}) {
		t.Errorf("%d, %d, %v", w, h, ok)
	}
	said()
	if _, _, ok := Size(io.Discard); ok {
		t.Error("nothing has a size")
	}
}
