package netlab

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// patience is for what has to happen.
const patience = 30 * time.Second

// TestMain runs the tests in namespaces: of this very program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "flood" {
		if err := flood(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if Inside() || Missing() != nil {
		os.Exit(m.Run())
	}
	cmd := Command(os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		os.Exit(1)
	}
}

const (
	floodPackets = 2000
	floodSize    = 1000 // bytes of payload
)

// flood is what the camera does: it sends much at once, and then tells how long an echo takes.
func flood() error {
	c, err := net.Dial("udp4", Internet+":9")
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	if _, err := c.Write([]byte("echo")); err != nil {
		return err
	}
	if err := c.SetReadDeadline(began.Add(patience)); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 10)); err != nil {
		return err
	}
	fmt.Println(time.Since(began))
	for range floodPackets {
		if _, err := c.Write(make([]byte, floodSize)); err != nil {
			return err
		}
	}
	return nil
}

// lab makes a lab that ends with the test, which is skipped where there can be none.
func lab(t *testing.T, path Path, uplink Queue) *Lab {
	t.Helper()
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	l, err := New(path, uplink)
	if errors.Is(err, ErrNoBucket) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLab(t *testing.T) {
	const (
		delay = 30 * time.Millisecond
		rate  = 8_000_000
		queue = 100 * time.Millisecond
	)
	l := lab(t, Path{Delay: delay}, Queue{Rate: rate, Max: queue})
	c, err := net.ListenPacket("udp4", Internet+":9")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.Run(CameraNetwork, program, "flood")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	came := echo(t, c)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if took, err := time.ParseDuration(strings.TrimSpace(line)); err != nil || took < 2*delay {
		t.Errorf("an echo takes %q, %v; want at least %v", line, err, 2*delay)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	held := int(queue.Seconds()*rate/8) / (floodSize + 28)
	for deadline := time.Now().Add(patience); ; {
		n, err := l.Meter().Read()
		if err != nil {
			t.Fatal(err)
		}
		if got := len(came); n.Waiting == 0 && got+int(n.Dropped) == floodPackets {
			if n.Dropped == 0 || got < held || n.Bytes < uint64(got*(floodSize+28)) {
				t.Errorf("%d packets came, the queue holds %d; it says %+v", got, held, n)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d packets came; the queue says %+v", len(came), n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// echo answers the first packet, and returns a channel that holds the others.
func echo(t *testing.T, c net.PacketConn) <-chan struct{} {
	t.Helper()
	buf := make([]byte, largest)
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTo(buf[:n], from); err != nil {
		t.Fatal(err)
	}
	if host, _, _ := net.SplitHostPort(from.String()); host != Camera {
		t.Errorf("the camera's packet comes from %v", from)
	}
	came := make(chan struct{}, floodPackets)
	go func() {
		for {
			if _, _, err := c.ReadFrom(buf); err != nil {
				return
			}
			came <- struct{}{}
		}
	}()
	return came
}
