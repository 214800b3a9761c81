package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/rig"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"camd": func() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScripts shows what the commands promise to people, failures included.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}

// TestScriptsWithATPM shows them on a device with a TPM, $TPM.
func TestScriptsWithATPM(t *testing.T) {
	chip := tpmtest.New(t)
	testscript.Run(t, testscript.Params{Dir: "testdata/tpm", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TPM", chip.Path)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"clear-tpm": func(*testscript.TestScript, bool, []string) { chip.Clear() },
			"power-off": func(*testscript.TestScript, bool, []string) { chip.PowerOff() },
			"power-on":  func(*testscript.TestScript, bool, []string) { chip.PowerOn() },
		}})
}

// TestScriptsWhileItRuns shows what they promise at the terminal of a camera that runs,
// of which Anna is the owner and Carl her guest.
func TestScriptsWhileItRuns(t *testing.T) {
	r := rig.New(t, "[household]\nclock = \"battery\"\nfixed = [\"quiet_hours\"]\n[capture]\nsource = \"synthetic\"\nwidth = 320\nheight = 240\n[audio]\nsource = \"off\"\n")
	r.Start()
	r.Invite(r.Owner(), proto.Grant{Name: "Carl", Weekly: "Mo-Su 00:00-24:00", Until: 4102444800}) // 2100
	testscript.Run(t, testscript.Params{Dir: "testdata/running", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("CONFIG", filepath.Join(r.Dir, "camd.toml"))
			return nil
		},
		Condition: func(name string) (bool, error) { return name == "root" && os.Getuid() == 0, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// await REGEXP ARG… runs camd until it prints that.
			"await": func(ts *testscript.TestScript, _ bool, args []string) {
				want := regexp.MustCompile(args[0])
				r.Until(args[0], func() bool {
					out, err := r.Run(args[1:]...)
					return err == nil && want.Match(out)
				})
			},
		}})
}
