package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/logging"
	"github.com/camd-project/camd/pkg/supervise"
	"github.com/camd-project/camd/pkg/watchdog"
)

// shutdownTime is how long all parts may take to end; whatever hangs longer is
// a fault, and its goroutines are its report.
const shutdownTime = 10 * time.Second

type runCmd struct{ configFlag }

// Run runs the daemon until a signal comes or a required part fails. After an eviction, a
// reset, or when it was set up, it starts again.
func (r runCmd) Run(env *environment) error {
	cfg, err := r.load()
	if err != nil {
		return err
	}
	if err := env.log.SetLevel(cfg.Device.LogLevel); err != nil {
		return inTable("device", err)
	}
	state, err := holdState(cfg.Device.State)
	if err != nil {
		return err
	}
	defer state.Close() //nolint:errcheck // nothing was written
	manager, err := watchdog.New(os.Getenv, os.Getpid(), env.log.Logger())
	if err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	defer context.AfterFunc(env.ctx, func() {
		manager.Stopping()
		select {
		case <-done:
		case <-time.After(shutdownTime):
			die(env.log, "camd did not stop in time")
		}
	})()
	for {
		if err := serve(env, cfg, manager); !errors.Is(err, errRestart) {
			return err
		}
		env.log.Logger().Warn("starting again")
	}
}

// holdState locks the state folder against any other camd: what one writes would look
// damaged to the other.
func holdState(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // nothing to protect; what is missing is said later
		return nil, nil //nolint:nilnil // a nil file may be closed
	}
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		f.Close() //nolint:errcheck // nothing was written
		return nil, fmt.Errorf("another camd runs with the state folder %s already; stop it first", path)
	}
	return f, nil // a file system without locks is no reason not to run
}

// serve runs everything once.
func serve(env *environment, cfg config.Config, manager *watchdog.Manager) error {
	d, err := wire(env.ctx, cfg, env.log)
	if err != nil {
		if env.ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end while it began
		}
		return err
	}
	log := env.log.Logger()
	var watched []watchdog.Part
	for _, p := range d.parts {
		if w, ok := p.Component.(watchdog.Part); ok && p.Required {
			watched = append(watched, w)
		}
	}
	d.require(manager.Watch(watched...))
	err = supervise.Run(env.ctx, log, func() { log.Info("camd serves", "device", string(d.identity.DeviceID()), "version", version) }, d.parts...)
	return errors.Join(err, d.close())
}

// die ends the process at once, and reports where each goroutine is. It does not wait long
// for whoever reads that.
func die(log *logging.Log, reason string) {
	log.Logger().Error("camd ends itself", "reason", reason)
	log.Close(logPatience)
	told := make(chan struct{})
	go func() {
		defer close(told)
		_, _ = os.Stderr.Write(stacks()) // the process ends either way
	}()
	select {
	case <-told:
	case <-time.After(logPatience):
	}
	os.Exit(1)
}

// stacks shows where every goroutine stands.
func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
