package system

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
	"github.com/camd-project/camd/test/rig"
)

// phone is a home of camctl's, with what the broker's operator made for its key.
type phone struct {
	r      *rig.Rig
	home   string
	camctl string
	login  []string // flags
}

func newPhone(t *testing.T, r *rig.Rig) *phone {
	t.Helper()
	p := &phone{r: r, home: t.TempDir(), camctl: rig.Build(t, "camctl")}
	var own struct{ Client proto.ClientID }
	if err := json.Unmarshal(p.run(t, "--json", "id"), &own); err != nil {
		t.Fatal(err)
	}
	login := r.LoginOf(own.Client)
	for flag, text := range map[string]string{"--broker-cert": login.Certificate, "--broker-key": login.Key, "--broker-ca": string(r.CA.PEM())} {
		path := filepath.Join(p.home, flag[2:])
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p.login = append(p.login, flag, path)
	}
	p.login = append(p.login, "--broker", "mqtts://"+r.Broker.Address())
	return p
}

func (p *phone) command(args ...string) *exec.Cmd {
	return exec.Command(p.camctl, append([]string{"--home", filepath.Join(p.home, "camctl")}, args...)...)
}

func (p *phone) run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := p.command(args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("camctl %v: %v\n%s", args, err, errOut.Bytes())
	}
	return out
}

// showing is a camctl that shows a code and waits.
type showing struct {
	cmd  *exec.Cmd
	out  bytes.Buffer
	done chan error
}

// show begins to pair by a code whose pictures go to dir.
func (p *phone) show(t *testing.T, dir, label string, flags ...string) *showing {
	t.Helper()
	s := &showing{cmd: p.command(append(append([]string{"pair", "--qr", "--png", dir, "--label", label}, p.login...), flags...)...), done: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		s.end()
		if t.Failed() {
			t.Logf("camctl said:\n%s", s.out.String())
		}
	})
	return s
}

func (s *showing) end() {
	_ = s.cmd.Process.Kill() // it may have ended
	s.done <- <-s.done
}

// paired waits for the camera's answer.
func (s *showing) paired(t *testing.T, r *rig.Rig) {
	t.Helper()
	select {
	case err := <-s.done:
		s.done <- err
		if err != nil || !strings.Contains(s.out.String(), "Paired with camera "+string(r.Device)+" as Anna (owner)") {
			t.Fatalf("camctl pair --qr: %v\n%s", err, s.out.String())
		}
	case <-patient(t).Done():
		t.Fatal("the code was not answered")
	}
}

// inFrontOfTheLens is the configuration of a camera that sees what is put into a folder, as
// a phone that is held before it.
func inFrontOfTheLens(t *testing.T) (tables, dir string) {
	t.Helper()
	dir = t.TempDir()
	return fmt.Sprintf("log_level = \"debug\"\n[capture]\nsource = \"pictures\"\nfile = %q\nwidth = 640\nheight = 480\nrate = 10\n[audio]\nsource = \"tone\"\n", dir), dir
}

// TestPairingByTheLens walks the whole way: camctl shows a code, camd reads it in its own
// pictures, and its receipt comes through the broker; then the owner watches.
func TestPairingByTheLens(t *testing.T) {
	tables, dir := inFrontOfTheLens(t)
	r := rig.New(t, tables)
	r.Start()
	r.Online()
	p := newPhone(t, r)
	s := p.show(t, dir, r.Label.Text())
	r.OpenWindow("Anna")
	s.paired(t, r)
	home, err := home.Open(filepath.Join(p.home, "camctl"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := home.Keys()
	if err != nil {
		t.Fatal(err)
	}
	record, err := home.Camera("")
	if err != nil {
		t.Fatal(err)
	}
	owner := r.Dial(keys, record)
	if l, err := owner.Members(patient(t)); err != nil || len(l) != 1 || l[0].Role != proto.RoleOwner || l[0].Name != "Anna" {
		t.Errorf("members: %+v, %v", l, err)
	}
	mustWatch(t, owner).picture(t)

	// A stranger with the label and an open window has no way by a code either.
	stranger := newPhone(t, r)
	thief := stranger.show(t, dir, r.Label.Text())
	r.OpenWindow("Eve")
	r.Until("the stranger's code is refused", func() bool { return strings.Contains(r.Log(), "a code was not taken") })
	if l, err := owner.Members(patient(t)); err != nil || len(l) != 1 {
		t.Errorf("members after a stranger's code: %+v, %v", l, err)
	}
	select {
	case err := <-thief.done:
		thief.done <- err
		t.Errorf("the stranger's camctl ended: %v\n%s", err, thief.out.String())
	default:
	}
}

// TestACameraOutOfItsBoxByTheLens: a camera that knows no broker is told of one by a code,
// with a certificate for a day, and has another for a key of its own before camctl ends.
func TestACameraOutOfItsBoxByTheLens(t *testing.T) {
	tables, dir := inFrontOfTheLens(t)
	r := rig.NewBare(t, tables)
	r.Start()
	p := &phone{r: r, home: t.TempDir(), camctl: rig.Build(t, "camctl")}
	label := r.Label.Text()

	// What a code says is tried, and nothing of it stays if it does not work.
	bad := p.show(t, dir, label, "--broker", "mqtts://127.0.0.1:1", "--viewer-broker", r.URL(), "--ca", r.PKI)
	r.OpenWindow("Anna")
	r.Until("the settings were tried", func() bool { return strings.Contains(r.Log(), "Nothing listens on 127.0.0.1:1") })
	bad.end()
	if !strings.Contains(r.Condition("broker").Reason, "not set up yet") || !strings.Contains(r.Condition("auth").Reason, "Nobody is paired yet") {
		t.Errorf("what did not work is kept: %+v, %+v", r.Condition("broker"), r.Condition("auth"))
	}

	good := p.show(t, dir, label, "--broker", r.URL(), "--ca", r.PKI)
	good.paired(t, r)
	if !strings.Contains(good.out.String(), "took it: good until") {
		t.Errorf("the camera has no certificate of its own:\n%s", good.out.String())
	}
	r.Online()
	recording := filepath.Join(t.TempDir(), "live.mp4")
	p.run(t, "record", "--seconds", "2", recording)
	if info, err := os.Stat(recording); err != nil || info.Size() < 2000 {
		t.Errorf("the live picture: %+v, %v", info, err)
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.Start()
	r.Online()
	if out := string(p.run(t, "certificate", "status")); strings.Contains(out, "two thirds of its life are over") || !strings.Contains(out, "good until") {
		t.Errorf("after a restart: %s", out)
	}
}

// TestEnrolmentByTheLens: a code has the camera get its certificate from an enrolment server,
// by a password that is good once; a broker that could not be reached at first costs no
// other.
func TestEnrolmentByTheLens(t *testing.T) {
	tables, dir := inFrontOfTheLens(t)
	r := rig.NewBare(t, tables)
	r.Start()
	est := claimtest.NewServerOf(t, claimtest.ReadAuthority(t, filepath.Join(r.PKI, "broker", "ca.crt"), filepath.Join(r.PKI, "ca.key")))
	est.Password("camera", "good-once")
	p := newPhone(t, r)
	password := filepath.Join(p.home, "password")
	if err := os.WriteFile(password, []byte("good-once\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--viewer-broker", r.URL(), "--est", est.URL, "--est-user", "camera", "--est-password-file", password}
	elsewhere := *p
	elsewhere.login = append(slices.Clone(p.login[:len(p.login)-1]), "mqtts://127.0.0.1:1")
	bad := elsewhere.show(t, dir, r.Label.Text(), flags...)
	r.OpenWindow("Anna")
	r.Until("the settings were tried", func() bool { return strings.Contains(r.Log(), "Nothing listens on 127.0.0.1:1") })
	bad.end()
	good := p.show(t, dir, r.Label.Text(), flags...)
	good.paired(t, r)
	r.Online()
	if asked := fmt.Sprint(est.Asked()); asked != "[simpleenroll cacerts]" {
		t.Errorf("the enrolment server was asked for %s", asked)
	}
	if strings.Contains(r.Log(), "good-once") {
		t.Error("the password is in the log")
	}
}

// TestWrongCodesCloseTheWindow shows codes of another label: each is one failure, however
// often it is seen.
func TestWrongCodesCloseTheWindow(t *testing.T) {
	tables, dir := inFrontOfTheLens(t)
	r := rig.New(t, tables)
	r.Start()
	r.Online()
	p := newPhone(t, r)
	wrong := r.Label
	wrong.Secret[3] ^= 1
	r.OpenWindow("Anna")
	for i := range 5 {
		s := p.show(t, dir, wrong.Text())
		r.Until("the wrong code is read", func() bool { return strings.Count(r.Log(), "code is not of this camera's label") > i })
		s.end()
		if files, _ := filepath.Glob(filepath.Join(dir, "*")); i < 4 {
			for _, path := range files {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	r.Until("the window closes", func() bool { return strings.Contains(r.Log(), "pairing window closed after failures") })
}

// TestTheReaderOfCodesRestsWhileSomebodyPairs: there is no process that reads codes while a
// client is in a conversation at the socket; after one that came to nothing there is one
// again, and after a receipt there is none.
func TestTheReaderOfCodesRestsWhileSomebodyPairs(t *testing.T) {
	tables, _ := inFrontOfTheLens(t)
	r := rig.New(t, tables)
	r.Start()
	r.Online()
	keys, err := home.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	r.OpenWindow("Anna")
	r.Until("codes are read", func() bool { return readsCodes(t, r) })
	for _, set := range []bool{false, true} {
		conn, err := client.Join(patient(t), r.Socket)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.SetUp(patient(t), conn, r.Label, keys, nil, func(_ context.Context, talk *pairing.Talk) (home.Broker, error) {
			r.Until("codes are not read while somebody pairs", func() bool { return !readsCodes(t, r) })
			if !set {
				return home.Broker{}, errors.New("the phone went away")
			}
			return r.Login(keys), talk.Set(proto.SetupSettings{}, nil)
		})
		_ = conn.Close() // the pairing may have closed it
		if set != (err == nil) {
			t.Fatal(err)
		}
		if !set {
			r.Until("codes are read again", func() bool { return readsCodes(t, r) })
		}
	}
	if readsCodes(t, r) {
		t.Error("codes are read though somebody was let in")
	}
}

// readsCodes reports whether camd has a child that reads codes.
func readsCodes(t *testing.T, r *rig.Rig) bool {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", r.PID()))
	if err != nil || len(lists) == 0 {
		t.Fatalf("this kernel does not tell a process's children (CONFIG_PROC_CHILDREN): %v", err)
	}
	for _, path := range lists {
		list, _ := os.ReadFile(path) // the thread may have ended
		for _, pid := range strings.Fields(string(list)) {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline") // the child may have
			if strings.Contains(string(line), "read-codes") {
				return true
			}
		}
	}
	return false
}
