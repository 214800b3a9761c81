package main

import (
	"fmt"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/camd-project/camd/internal/publish/publishtest"
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
		}})
}
