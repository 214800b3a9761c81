package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client/home"
)

// daemon answers one command on a socket with line and then calls after.
func daemon(t *testing.T, line string, after func(net.Conn)) (socket string, command <-chan string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l := must(net.Listen("unix", socket))
	got := make(chan string, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		c, _ := readLine(conn)
		got <- string(c)
		_, _ = fmt.Fprint(conn, line)
		if after != nil {
			after(conn)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return socket, got
}

func TestOpenWindow(t *testing.T) {
	socket, command := daemon(t, "{\"ok\":true}\n", nil)
	if err := OpenWindow(t.Context(), socket, 5*time.Minute, "Anna"); err != nil {
		t.Fatal(err)
	}
	if got := <-command; got != `{"cmd":"pair","name":"Anna","window_seconds":300}` {
		t.Errorf("command %s", got)
	}
}

func TestJoinLeavesTheStreamToThePairing(t *testing.T) {
	socket, _ := daemon(t, "{\"ok\":true}\n\x00\x00\x00\x02hi", nil)
	conn, err := Join(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if msg, err := conn.ReadMessage(); err != nil || string(msg) != "hi" {
		t.Errorf("first message %q, %v", msg, err)
	}
}

func TestSocketTroubleIsASentence(t *testing.T) {
	refusing, _ := daemon(t, `{"ok":false,"error":"The pairing window is closed."}`+"\n", nil)
	garbling, _ := daemon(t, "hello\n", nil)
	ending, _ := daemon(t, "", nil)
	endless, _ := daemon(t, strings.Repeat("x", maxLine+1), func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	for socket, want := range map[string]string{
		refusing:                        "The pairing window is closed.",
		garbling:                        "can't be asked",
		ending:                          "can't be asked",
		endless:                         "line is longer",
		filepath.Join(t.TempDir(), "x"): "camd does not answer at",
	} {
		_, err := Join(t.Context(), socket)
		var p *home.Problem
		if !errors.As(err, &p) || !strings.Contains(err.Error(), want) {
			t.Errorf("Join = %v, want %q", err, want)
		}
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	socket, command := daemon(t, "", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	go func() { <-command; cancel() }()
	if _, err := Join(ctx, socket); !errors.Is(err, context.Canceled) {
		t.Errorf("Join = %v, want Canceled", err)
	}
}
