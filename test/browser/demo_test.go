package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

// demo is a running camdemo.
type demo struct {
	t       *testing.T
	cmd     *exec.Cmd
	errOut  bytes.Buffer
	Address string         `json:"address"`
	Room    string         `json:"room"`
	Device  proto.DeviceID `json:"device"`
	Folder  string         `json:"directory"`
	stopped func() error   // once
}

// startDemo runs camdemo until the test ends or stop is called.
func startDemo(t *testing.T) *demo {
	t.Helper()
	d := &demo{t: t}
	d.cmd = exec.Command(rig.Build(t, "camdemo"), "--json", "--synthetic", "--address", "127.0.0.1:0", "--camd", rig.Program(t))
	d.cmd.Stderr = &d.errOut
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.stopped = sync.OnceValue(func() error {
		return errors.Join(d.cmd.Process.Signal(os.Interrupt), d.cmd.Wait())
	})
	t.Cleanup(func() {
		if err := d.stopped(); err != nil {
			t.Errorf("demo: %v\n%s", err, &d.errOut)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("demo said nothing: %v\n%s", err, &d.errOut)
	}
	if err := json.Unmarshal(line, d); err != nil || d.Address == "" || d.Room == "" {
		t.Fatalf("demo said %s: %v", line, err)
	}
	return d
}

// stop is Ctrl-C; it checks that nothing is left behind.
func (d *demo) stop() {
	d.t.Helper()
	camd := d.child()
	if err := d.stopped(); err != nil {
		d.t.Errorf("demo: %v\n%s", err, &d.errOut)
	}
	if _, err := os.Stat(d.Folder); !errors.Is(err, fs.ErrNotExist) {
		d.t.Errorf("%s is left: %v", d.Folder, err)
	}
	if err := syscall.Kill(camd, 0); !errors.Is(err, syscall.ESRCH) {
		d.t.Errorf("camd (process %d) is left: %v", camd, err)
	}
}

// child is camd's process id.
func (d *demo) child() int {
	d.t.Helper()
	l, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, path := range l {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		if pid, parent := parseStat(data); parent == d.cmd.Process.Pid {
			return pid
		}
	}
	d.t.Fatal("the demo has no child")
	return 0
}

// ben runs camctl as the member who is at a terminal.
func (d *demo) ben(args ...string) []byte {
	d.t.Helper()
	cmd := exec.Command(rig.Build(d.t, "camctl"), append([]string{"--home", filepath.Join(d.Folder, "ben")}, args...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("camctl %v: %v\n%s", args, err, &errOut)
	}
	return out
}

// addBen keeps the card that the page made for him.
func (d *demo) addBen(card string) {
	d.t.Helper()
	file, login := filepath.Join(d.t.TempDir(), "ben.card"), filepath.Join(d.Folder, "ben.pem")
	if err := os.WriteFile(file, []byte(card), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.ben("add", "--yes", "--broker-cert", login, "--broker-key", login, file)
}

// letBenIn makes him an owner.
func (d *demo) letBenIn(o owner) {
	d.t.Helper()
	key, err := os.ReadFile(filepath.Join(d.Folder, "ben.txt"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.addBen(o.invite(string(key), "", "Ben", "Owner"))
}

// atCamera runs camd as someone at the camera does.
func (d *demo) atCamera(args ...string) {
	d.t.Helper()
	out, err := exec.Command(rig.Program(d.t), append(args, "--config", filepath.Join(d.Folder, "camd.toml"))...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("camd %v: %v\n%s", args, err, out)
	}
}

// status asks the camera on the spot.
func (d *demo) status() (status proto.StatusAnswer) {
	d.t.Helper()
	answer, err := client.Ask(d.t.Context(), filepath.Join(d.Folder, "camd.sock"), map[string]string{"cmd": "status"})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &struct{ Status *proto.StatusAnswer }{&status}); err != nil {
		d.t.Fatal(err)
	}
	return status
}

// awaitNobody waits until the camera has no viewer.
func (d *demo) awaitNobody() {
	d.t.Helper()
	for end := time.Now().Add(rig.Patience); len(d.status().Sessions) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("the camera still has viewers: %+v", d.status().Sessions)
		}
	}
}

// parseStat takes the process and its parent out of /proc/PID/stat (proc(5)).
func parseStat(data []byte) (pid, parent int) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < 0 {
		return 0, 0
	}
	pid, _ = strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	if f := bytes.Fields(data[end+1:]); len(f) > 1 {
		parent, _ = strconv.Atoi(string(f[1]))
	}
	return pid, parent
}

func timeOf(t *testing.T, path string) time.Time {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.ModTime()
}
