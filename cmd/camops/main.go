// Command camops is the maker's and operator's tool. It makes what a device is shipped
// with, the archive of what it says and its label, the certificates by which a broker
// knows cameras and members, a household's own server, and the releases by which cameras are
// updated. It owns the
// command line only.
//
// Exit codes: 0 done, 1 failed (one sentence on standard error says why), 2 wrong
// usage.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/foreign"
)

type cli struct {
	Prompts   *promptsCmd   `arg:"subcommand:prompts" help:"make the archive of spoken prompts, or list one"`
	Label     *labelCmd     `arg:"subcommand:label" help:"make the labels of devices from their factory records"`
	PKI       *pkiCmd       `arg:"subcommand:pki" help:"certificates for a broker: init, broker, device, member, remove"`
	Release   *releaseCmd   `arg:"subcommand:release" help:"releases that cameras update themselves with: init, add, sign, rekey, publish, rollout, halt, witness, monitor"`
	Household *householdCmd `arg:"subcommand:household" help:"a household's own server, with broker, TURN server and page: init, login, check, credentials"`
	Version   *versionCmd   `arg:"subcommand:version" help:"print the version"`
}

// Description is the first line of the help.
func (cli) Description() string { return "The tool of makers and operators of cameras that run camd." }

func main() { command.Main(execute) }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c cli
	run, code := command.Parse[*environment]("camops", &c, args, out, errOut)
	if run == nil {
		return code
	}
	return command.ExitCode("camops", run.Run(&environment{ctx, os.Stdin, foreign.Screen(out)}), foreign.Screen(errOut))
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.out, "camops", version)
	return err
}
