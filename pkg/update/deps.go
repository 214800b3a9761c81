package update

import (
	"context"
	"errors"
	"net/http"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/release"
)

// Catalog finds the release that this device may install: pkg/update/catalog. Everything about
// it but the bundle is verified. Latest returns within bounded time, however slow the server is.
// Its errors are sentences and wrap release.ErrNone, ErrFork or ErrRefused.
type Catalog interface {
	Latest(ctx context.Context) (release.Offer, error)
}

// Slots are the two places for the system, one of which runs: pkg/update/rauc.
type Slots interface {
	Status(ctx context.Context) (SlotStatus, error)
	// Install writes a bundle into the slot that does not run, and makes the next start run it.
	Install(ctx context.Context, b Bundle, progress func(percent int)) error
	// Mark gives a slot, by its name, one of the marks.
	Mark(ctx context.Context, m Mark, slot string) error
}

// Bundles reads what a bundle says of itself, after its signature was verified.
type Bundles interface {
	Inspect(ctx context.Context, path string) (Bundle, error)
}

// SlotStatus is the present status of the slots.
type SlotStatus struct {
	Compatible string // of this device
	Booted     string // name of the slot that runs
	Other      string // name of the slot that does not
	Primary    string // name of the slot that the next start runs; empty: unknown
}

// Bundle is a release in one file.
type Bundle struct {
	Path       string
	Compatible string
	Version    string
	Manifest   string // SHA-256 of its manifest in hex
}

// Mark is what the boot loader remembers about a slot.
type Mark string

// The marks.
const (
	MarkGood   Mark = "good"   // it starts, also next time
	MarkBad    Mark = "bad"    // it is not started
	MarkActive Mark = "active" // the next start runs it
)

// Errors of Slots and Bundles.
var (
	// ErrRefused means that a bundle may not be installed here.
	ErrRefused = errors.New("the bundle was refused")
	// ErrBusy means that another installation is under way.
	ErrBusy = errors.New("another installation is under way")
)

// Household is notified of every step, and must not be disturbed.
type Household interface {
	// Tell makes a step durable in the access log and sends it to all members.
	Tell(step proto.UpdateStep) error
	// Busy reports whether someone watches, listens or talks, or has just rung the bell.
	Busy() bool
	// Quiet reports whether the household's hours let the camera restart now.
	Quiet() bool
}

// Deps is what an Updater needs.
type Deps struct {
	Catalog   Catalog
	Slots     Slots
	Bundles   Bundles
	Household Household

	// SelfTest reports whether store and keys of the running version work.
	SelfTest func(ctx context.Context) error
	// Restart asks the system to restart and returns: RestartBy.
	Restart func() error

	HTTP    *http.Client // for bundles; nil: one that follows no redirect out of HTTPS
	State   string       // the folder of the device's state
	Version string       // of the running image: Image
}
