// Command camd is the daemon of a doorbell or indoor camera. It captures picture
// and sound, keeps the only list of who may see and hear them, and reaches its
// owners by connections that it opens itself. It owns the process: flags, signals,
// exit codes. It ends when a signal says so, or when a part that it can't do
// without fails; it never recovers from a panic.
//
// Exit codes: 0 done, 1 failed (the reason stands on standard error), 2 wrong
// usage or configuration, 3 `store-check` found damage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/logging"
)

type cli struct {
	Run        *runCmd        `arg:"subcommand:run" help:"run the daemon"`
	Check      *checkCmd      `arg:"subcommand:check" help:"print what camd finds on this device: cameras, sound cards, broker, identity, store"`
	Pair       *pairCmd       `arg:"subcommand:pair" help:"open the pairing window of the running camd"`
	Status     *statusCmd     `arg:"subcommand:status" help:"print the state of the running camd"`
	Members    *membersCmd    `arg:"subcommand:members" help:"print who may do what, and who is watching"`
	Log        *logCmd        `arg:"subcommand:log" help:"print the access log in sentences"`
	Privacy    *privacyCmd    `arg:"subcommand:privacy" help:"privacy on or off: close camera and microphone, or open them"`
	Talk       *talkCmd       `arg:"subcommand:talk" help:"talk accept or end: accept a request to speak, or end a talk, like a press of the button"`
	Ring       *ringCmd       `arg:"subcommand:ring" help:"ring the bell, for a bell that is no input device"`
	Settings   *settingsCmd   `arg:"subcommand:settings" help:"print the household's settings, or change them"`
	Update     *updateCmd     `arg:"subcommand:update" help:"update status, check or install: how the camera's own update stands, look for a release now, install it now"`
	Evict      *evictCmd      `arg:"subcommand:evict" help:"remove everyone; broker and settings stay"`
	Reset      *resetCmd      `arg:"subcommand:reset" help:"remove everyone and wipe all that the household stored"`
	Factory    *factoryCmd    `arg:"subcommand:factory" help:"what the maker does once for each device: factory init"`
	Config     *configCmd     `arg:"subcommand:config" help:"print the built-in configuration as a commented TOML file"`
	Debug      *debugCmd      `arg:"subcommand:debug" help:"inspect the running camd: its log, goroutines, heap or cpu; for root"`
	Version    *versionCmd    `arg:"subcommand:version" help:"print the version"`
	StoreCheck *storeCheckCmd `arg:"subcommand:store-check" help:"check a database file; camd runs this as a child"`
	ReadCodes  *readCodesCmd  `arg:"subcommand:read-codes" help:"find codes in pictures on standard input; camd runs this as a child"`
}

// Description is the first line of the help.
func (cli) Description() string {
	return "The on-device daemon of a camera that only its household opens."
}

// logPatience is how long the end waits for the reader of the log.
const logPatience = 2 * time.Second

func main() { command.Main(execute) }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c cli
	run, code := command.Parse[*environment]("camd", &c, args, out, errOut)
	if run == nil {
		return code
	}
	log := logging.New(errOut)
	defer log.Close(logPatience)
	env := &environment{ctx: ctx, in: os.Stdin, out: foreign.Screen(out), raw: out, log: log}
	return exitCode(run.Run(env), foreign.Screen(log))
}

func exitCode(err error, errOut io.Writer) int {
	if err == nil {
		return 0
	}
	if wrong := new(config.Error); errors.As(err, &wrong) {
		fmt.Fprintln(errOut, wrong)
		return 2
	}
	if coded := new(codedError); errors.As(err, &coded) {
		fmt.Fprintf(errOut, "camd: %s\n", oneLine(coded.err))
		return coded.code
	}
	fmt.Fprintf(errOut, "camd: %s\n", oneLine(err))
	return 1
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(env *environment) error {
	_, err := fmt.Fprintln(env.out, "camd", version)
	return err
}
