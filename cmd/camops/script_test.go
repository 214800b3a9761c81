package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/auth/identity"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"camops": main}) }

// TestScripts publishes releases by the commands alone, and shows what they refuse.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// bundle FILE VERSION COMPATIBLE makes what is like a RAUC bundle.
			"bundle": func(ts *testscript.TestScript, _ bool, args []string) {
				manifest := fmt.Sprintf("[update]\ncompatible=%s\nversion=%s\n", args[2], args[1])
				ts.Check(writeFile(ts.MkAbs(args[0]), publishtest.BundleOf([]byte(manifest))))
			},
			// record FILE makes a device, and its record as camd factory init does.
			"record": func(ts *testscript.TestScript, _ bool, args []string) {
				state := ts.MkAbs(args[0]) + ".state"
				id, err := identity.Init(state, identity.TPM{Use: identity.TPMOff})
				ts.Check(err)
				r, err := id.Record(state, "1.2.3")
				ts.Check(err)
				text, err := r.Encode()
				ts.Check(err)
				ts.Check(writeFile(ts.MkAbs(args[0]), text))
			},
			// scan PICTURE FILE reads a code as a phone does, and finds it in FILE.
			"scan": func(ts *testscript.TestScript, _ bool, args []string) {
				pictures, err := filepath.Glob(ts.MkAbs(args[0]))
				ts.Check(err)
				if len(pictures) != 1 {
					ts.Fatalf("%d pictures match %s", len(pictures), args[0])
				}
				ts.Check(ts.Exec("zbarimg", "--quiet", "--raw", "-S*.enable=0", "-Sqrcode.enable=1", "--nodbus", pictures[0]))
				if code := strings.TrimSpace(ts.ReadFile("stdout")); !strings.Contains(ts.ReadFile(args[1]), strconv.Quote(code)) {
					ts.Fatalf("%s is read as %q, which is not in %s", args[0], code, args[1])
				}
			},
		}})
}
