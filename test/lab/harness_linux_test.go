package lab

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// inUserNamespace is set in the environment of the run that has root's rights.
const inUserNamespace = "CAMD_LAB_USER_NAMESPACE"

// TestMain gives whoever isn't root root's rights over network namespaces of its
// own, by running once more in a user namespace.
func TestMain(m *testing.M) {
	if os.Geteuid() == 0 || os.Getenv(inUserNamespace) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inUserNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		os.Exit(m.Run()) // no user namespaces here: the stories will say so and skip
	}
}

// cache keeps kernels, clips and binaries from run to run.
var cache = sync.OnceValue(func() string {
	dir, err := filepath.Abs(filepath.Join(root, ".cache", "lab"))
	if err != nil {
		panic(err)
	}
	return dir
})

// making keeps tests that run at once from filling the cache at once.
var making sync.Mutex

// need skips the test if a command is missing.
func need(t *testing.T, commands ...string) {
	t.Helper()
	if err := Present(commands...); err != nil {
		t.Skipf("this machine lacks a command: %v (make setup-test installs it)", err)
	}
}

// kernel gives the kernel of an architecture.
func kernel(t *testing.T, a Arch) *Kernel {
	t.Helper()
	need(t, "apt-get", "apt-cache", "dpkg-deb", a.QEMU[0])
	making.Lock()
	defer making.Unlock()
	k, err := FetchKernel(t.Context(), cache(), a)
	if errors.Is(err, ErrNoKernel) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// program builds a command of this module for the guest, without cgo.
func program(t *testing.T, a Arch, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", path, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+a.GOARCH, "GOARM=7")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", folder, err, out)
	}
	return path
}

// clip is what the USB camera plays.
func clip(t *testing.T) []byte {
	t.Helper()
	need(t, "ffmpeg")
	making.Lock()
	defer making.Unlock()
	b, err := Clip(t.Context(), cache())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read reads a file that the test needs.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// namespace makes the network of a test.
func namespace(t *testing.T) *Namespace {
	t.Helper()
	n, err := NewNamespace()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skipf("this machine lets the test make no network of its own: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// boot starts a guest that ends with the test, which shows the console and what
// the named processes said if it fails.
func boot(t *testing.T, a Arch, n *Namespace, files Archive, disks []Disk, modules ...string) *Guest {
	t.Helper()
	k := kernel(t, a)
	dir, err := os.MkdirTemp("", "lab") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	all := Archive{
		"etc/passwd": {0o644, []byte("root:x:0:0::/root:/bin/false\n")},
		"etc/group":  {0o644, []byte("root:x:0:\ncamd:x:900:\n")},
	}
	maps.Copy(all, files)
	began := time.Now()
	g, err := Boot(t.Context(), Machine{Arch: a, Kernel: k, Init: program(t, a, "./guest"), Modules: modules, Disks: disks, Files: all, Net: n, Dir: dir})
	if err != nil {
		console, _ := os.ReadFile(filepath.Join(dir, "console.log"))
		t.Fatalf("%v\nconsole:\n%s", err, console)
	}
	t.Logf("%s guest answers after %.1f s", a.Debian, time.Since(began).Seconds())
	t.Cleanup(func() { finish(t, g) })
	return g
}

func finish(t *testing.T, g *Guest) {
	if t.Failed() {
		show(t, g)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.PowerOff(ctx); err != nil {
		t.Logf("power off: %v", err)
	}
	g.Kill()
}

// show logs what the guest and its processes said.
func show(t *testing.T, g *Guest) {
	for _, name := range g.Started() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		if _, err := g.listen(ctx, name); err != nil { // what nobody has asked for yet
			t.Log(err) // most often the process has nothing more to say
		}
		cancel()
		t.Logf("what %s said:\n%s", name, strings.Join(g.Said(name), "\n"))
	}
	t.Logf("the guest's console:\n%s", g.Log())
}

// patient is a context for one step of a story: generous, since the machine may
// be slow and shared.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually looks every fifth of a second until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	await(patient(t), t, 200*time.Millisecond, what, ok)
}

// await looks again and again until ok says so.
func await(ctx context.Context, t *testing.T, every time.Duration, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(every):
		}
	}
}

// unhurried is a context for a step of a whole device, in which an emulated machine starts or
// writes a slot.
func unhurried(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
