package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// role names what this program does when a test has started it as a child.
const role = "CAMD_COMMAND_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "writer": // to standard output, until it is to end
		Main(func(ctx context.Context, _ []string, out, _ io.Writer) int {
			for ctx.Err() == nil {
				if _, err := fmt.Fprintln(out, "line"); err != nil {
					return 3
				}
			}
			return 0
		})
	case "talker": // to standard error, as often as it is asked to
		Main(func(_ context.Context, _ []string, out, errOut io.Writer) int {
			for in := bufio.NewScanner(os.Stdin); in.Scan(); {
				_, err := fmt.Fprintln(errOut, "line")
				if errors.Is(err, syscall.EPIPE) {
					return 0
				}
				_, _ = fmt.Fprintln(out, "said")
			}
			return 3
		})
	case "waiter": // for a signal
		Main(func(ctx context.Context, _ []string, out, _ io.Writer) int {
			_, _ = fmt.Fprintln(out, endings())
			<-ctx.Done()
			return 7
		})
	}
	os.Exit(m.Run())
}

// child starts this program in a role, and ends it if it does not end by itself.
func child(t *testing.T, as string, arguments ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	arguments = append(arguments, os.Args[0])
	cmd := exec.CommandContext(t.Context(), arguments[0], arguments[1:]...)
	cmd.Env = append(os.Environ(), role+"="+as)
	out, err := cmd.StdoutPipe()
	if err == nil && cmd.Stderr == nil && as == "writer" {
		cmd.Stderr = &strings.Builder{}
	}
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	return cmd, bufio.NewReader(out)
}

func code(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// Whose standard output is read no more ends in order and says nothing, as `| head` expects.
func TestAReaderOfTheOutputThatGoes(t *testing.T) {
	cmd, _ := child(t, "writer")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	if line, err := bufio.NewReader(read).ReadString('\n'); err != nil || line != "line\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = read.Close()
	if err := cmd.Wait(); code(err) != 0 || cmd.Stderr.(*strings.Builder).Len() != 0 {
		t.Errorf("it ends with %v and says %q", err, cmd.Stderr)
	}
}

// Whose standard error is read no more goes on.
func TestAReaderOfTheErrorsThatGoes(t *testing.T) {
	cmd, out := child(t, "talker")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	_, _ = io.WriteString(in, "\n")
	if line, err := out.ReadString('\n'); err != nil || line != "said\n" {
		t.Errorf("%q, %v", line, err)
	}
	_ = read.Close()
	_, _ = io.WriteString(in, "\n")
	if err := cmd.Wait(); code(err) != 0 {
		t.Errorf("it ends with %v", err)
	}
}

func TestSignalsEndInOrder(t *testing.T) {
	// Under nohup the children would rightly inherit that hang-ups are ignored.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, out := child(t, "waiter")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := out.ReadString('\n'); err != nil || !strings.Contains(line, "hangup") {
			t.Errorf("it waits for %q, %v", line, err)
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); code(err) != 7 {
			t.Errorf("%v: it ends with %v", s, err)
		}
	}
}

func TestNohupIsKept(t *testing.T) {
	cmd, out := child(t, "waiter", "sh", "-c", `trap "" HUP; exec "$0"`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := out.ReadString('\n'); err != nil || strings.Contains(line, "hangup") || !strings.Contains(line, "terminated") {
		t.Errorf("it waits for %q, %v", line, err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}
