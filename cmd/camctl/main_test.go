package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
	"github.com/camd-project/camd/test/rig"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"camctl": main})
}

// code runs a command that must end with the exit code of its first argument.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if err != nil {
		got = -1
		if i := strings.LastIndex(err.Error(), "exit status "); i >= 0 {
			got, _ = strconv.Atoi(err.Error()[i+len("exit status "):])
		}
	}
	if want, _ := strconv.Atoi(args[0]); got != want {
		ts.Fatalf("exit code %d (%v), want %d", got, err, want)
	}
}

func setup(e *testscript.Env) error {
	e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
	e.Setenv("XDG_DATA_HOME", "")
	return nil
}

// TestCommandsAlone needs no camera.
func TestCommandsAlone(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/alone", Setup: setup, RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "field": field}})
}

// TestCommandsWithCamera has a camd of its own, with the test pattern and the tone.
func TestCommandsWithCamera(t *testing.T) { withCamera(t, "testdata/camera", "") }

// TestHouseholdDecides has two owners and a guest.
func TestHouseholdDecides(t *testing.T) { withCamera(t, "testdata/authority", "") }

// TestAnotherCertificate has the authority of the camera's broker.
func TestAnotherCertificate(t *testing.T) { withCamera(t, "testdata/certificate", "") }

// TestTalkIsHeardAtTheCamera has a file for a speaker.
func TestTalkIsHeardAtTheCamera(t *testing.T) {
	t.Setenv("VOICE", oggFile(t, 25, frame20))
	t.Setenv("SPEAKER", filepath.Join(t.TempDir(), "speaker.raw"))
	withCamera(t, "testdata/talk", fmt.Sprintf("speaker = \"file\"\nspeaker_file = %q\n", os.Getenv("SPEAKER")))
}

// TestPairsOverBluetooth has a camera that is near, by a BlueZ without a radio.
func TestPairsOverBluetooth(t *testing.T) {
	bluetest.New(t)
	withCamera(t, "testdata/bluetooth", "[setup]\nble = \"hci0\"\n")
}

// withCamera runs the script of a folder; audio is more of that table.
func withCamera(t *testing.T, dir, audio string) {
	r := rig.New(t, "[household]\ntime_zone = \"Europe/Berlin\"\nclock = \"battery\"\n[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"tone\"\n"+audio)
	r.Start()
	testscript.Run(t, testscript.Params{Dir: dir, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("SOCKET", r.Socket)
			e.Setenv("LABEL", r.Label.Text())
			e.Setenv("TYPED", r.Label.TypedText())
			e.Setenv("BROKER", "mqtts://"+strings.Replace(r.Broker.Address(), "127.0.0.1", "localhost", 1))
			e.Setenv("DEVICE", string(r.Device))
			e.Setenv("DBUS_SYSTEM_BUS_ADDRESS", os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"))
			e.Setenv("PKI", r.PKI)
			e.Setenv("VOICE", os.Getenv("VOICE"))
			e.Setenv("SPEAKER", os.Getenv("SPEAKER"))
			return setup(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     code,
			"window":   func(_ *testscript.TestScript, _ bool, args []string) { r.OpenWindow(args[0]) },
			"login":    func(ts *testscript.TestScript, _ bool, args []string) { login(ts, r, args[0], args[1]) },
			"field":    field,
			"atcamera": func(ts *testscript.TestScript, neg bool, args []string) { atCamera(ts, r, neg, args) },
			"until":    func(ts *testscript.TestScript, _ bool, args []string) { awaitLine(ts, args[0], args[1]) },
			"killcamd": func(ts *testscript.TestScript, _ bool, _ []string) {
				_ = r.Signal(syscall.SIGKILL) // which is how it ended
			},
			"startcamd": func(_ *testscript.TestScript, _ bool, _ []string) { r.Start(); r.Online() },
			"stopcamd": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(r.Signal(syscall.SIGTERM))
				ts.Check(r.Wait())
			},
		}})
}

// awaitLine waits for a line in a file that something writes.
func awaitLine(ts *testscript.TestScript, pattern, file string) {
	want := regexp.MustCompile(pattern)
	var data []byte
	for end := time.Now().Add(rig.Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		data, _ = os.ReadFile(ts.MkAbs(file)) // it may not be there yet
		if want.Match(data) {
			return
		}
	}
	ts.Fatalf("waited in vain for %s in\n%s", pattern, data)
}

// atCamera runs a command of camd as someone at the camera does.
func atCamera(ts *testscript.TestScript, r *rig.Rig, neg bool, args []string) {
	out, err := r.Run(args...)
	ts.Logf("%s", out)
	if (err != nil) != neg {
		ts.Fatalf("camd %v: %v", args, err)
	}
}

// login makes a broker's certificate for the client whose id, as JSON, stands in a
// file: NAME.crt and NAME.key.
func login(ts *testscript.TestScript, r *rig.Rig, file, name string) {
	var id struct{ Client proto.ClientID }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &id))
	cert, err := r.CA.Viewer(id.Client)
	ts.Check(err)
	_, _, err = pki.WritePair(ts.MkAbs("."), name, cert)
	ts.Check(err)
}

// field compares a member of each line of JSON in a file: as text, or as a number.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 || !slices.Contains([]string{"=", ">"}, args[2]) {
		ts.Fatalf("usage: field FILE NAME =|> VALUE")
	}
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("%s: %v", line, err)
		}
		got, _ := json.Marshal(object[args[1]])
		number, _ := strconv.ParseFloat(string(got), 64)
		least, _ := strconv.ParseFloat(args[3], 64)
		if args[2] == "=" && string(got) != args[3] || args[2] == ">" && number <= least {
			ts.Fatalf("%s is %s, want %s %s", args[1], got, args[2], args[3])
		}
	}
}
