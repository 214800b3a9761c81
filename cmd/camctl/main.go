// Command camctl is the owner's tool: it pairs with a camera, decides who may see
// and hear what, reads its access log, watches and records it, and speaks through it. It
// owns the command line only; what it does is pkg/client's. Keys and cameras are kept in one
// folder, --home.
//
// Exit codes: 0 done, 1 failed (one sentence on standard error says why), 2 wrong
// usage. An alarm about a camera's access log, and a removal that it has not
// confirmed, are said on standard error by every command, and change no exit code.
// Ctrl-C ends every command cleanly.
package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/foreign"
)

type cli struct {
	Home    string `arg:"--home" help:"folder of keys and cameras (default: as the XDG base directories say)" placeholder:"DIR"`
	JSON    bool   `arg:"--json" help:"print JSON, one object a line"`
	Verbose bool   `arg:"-v,--verbose" help:"show more: log to standard error what happens, show the words of keys"`

	ID          *idCmd          `arg:"subcommand:id" help:"show this client's key, for a member who will add it; makes the keys on first use"`
	Pair        *pairCmd        `arg:"subcommand:pair" help:"pair with the camera whose label you have, by its local socket, by Bluetooth LE or by a code that its lens reads"`
	Add         *addCmd         `arg:"subcommand:add" help:"add the camera of a camera card that someone made for this client"`
	Status      *statusCmd      `arg:"subcommand:status" help:"show the state of a camera"`
	Watch       *watchCmd       `arg:"subcommand:watch" help:"receive picture and sound and print live statistics"`
	Record      *recordCmd      `arg:"subcommand:record" help:"record picture and sound into an MP4 file"`
	Talk        *talkCmd        `arg:"subcommand:talk" help:"speak through a camera, which announces it in the room first"`
	Snapshot    *snapshotCmd    `arg:"subcommand:snapshot" help:"take one picture, of which every member is told"`
	Members     *membersCmd     `arg:"subcommand:members" help:"show who may do what, until when, and who added them"`
	Grant       *grantCmd       `arg:"subcommand:grant" help:"add a member by its key, or change what a member may do"`
	Revoke      *revokeCmd      `arg:"subcommand:revoke" help:"remove a member and its guests"`
	Privacy     *privacyCmd     `arg:"subcommand:privacy" help:"close camera and microphone, or open them"`
	Settings    *settingsCmd    `arg:"subcommand:settings" help:"show what the household chose, or choose"`
	Update      *updateCmd      `arg:"subcommand:update" help:"show how the camera's own update stands, look for one, install it now, or put it off"`
	Certificate *certificateCmd `arg:"subcommand:certificate" help:"show how long the camera's certificate for its broker lasts, or give it another one"`
	WiFi        *wifiCmd        `arg:"subcommand:wifi" help:"show which Wi-Fi networks the camera hears and which one it uses, or have it change to another one"`
	Log         *logCmd         `arg:"subcommand:log" help:"read the access log, or verify it"`
	Events      *eventsCmd      `arg:"subcommand:events" help:"show what happened in the household since the last time, what happens now, and which rings are stored"`
	Viewer      *viewerCmd      `arg:"subcommand:viewer" help:"serve the owner's page for browsers, or write it as files for a web server"`
	CA          *caCmd          `arg:"subcommand:ca" help:"a household's own authority for its broker: init, sign"`
	TURN        *turnCmd        `arg:"subcommand:turn-credentials" help:"make credentials of a TURN server that end by themselves, from its secret"`
	Version     *versionCmd     `arg:"subcommand:version" help:"print the version"`
}

// Description is the first line of the help.
func (cli) Description() string { return "The owner's tool for cameras that run camd." }

func main() { command.Main(execute) }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c cli
	run, code := command.Parse[*environment]("camctl", &c, args, out, errOut)
	if run == nil {
		return code
	}
	env := &environment{Output: command.Output{Out: foreign.Screen(out), ErrOut: foreign.Screen(errOut), JSON: c.JSON},
		ctx: ctx, in: os.Stdin, raw: out, verbose: c.Verbose, dir: c.Home, log: slog.New(slog.DiscardHandler)}
	if c.Verbose {
		env.log = slog.New(slog.NewTextHandler(env.ErrOut, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return command.ExitCode("camctl", run.Run(env), env.ErrOut)
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(env *environment) error {
	return env.Print(map[string]string{"version": version}, "camctl %s", version)
}
