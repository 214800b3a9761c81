package update

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/update/download"
)

// margin is how many bytes must stay free beside the bundle: the access log and the
// household's store use the same storage.
const margin = 16 << 20

// later is how long to wait after a failure of the network, of space or of the installer.
const later = 5 * time.Minute

// bring downloads the release, if there is space for it, and inspects it. No slot is written
// before resumeInstall.
func (u *Updater) bring(ctx context.Context, s state) (time.Duration, error) {
	if err := u.settle(ctx, ""); err != nil {
		return 0, err
	}
	if gone, err := u.withdrawn(ctx, s); gone || err != nil {
		return rest, err
	}
	if s.waits() || s.Retry.Version == s.Offer.Version && s.Retry.waits() {
		return rest, nil
	}
	if reason := u.lacksSpace(s.Offer.Size); reason != "" {
		u.setReason(reason, false)
		return later, nil
	}
	before := u.fetch.Have(u.dir.path(bundleFile))
	if err := u.get(ctx, s); err != nil {
		return u.notFetched(s, err)
	}
	if before < s.Offer.Size {
		return 0, nil // that took a while: it may have been put off, or halted
	}
	return u.inspect(ctx, s)
}

// inspect checks the bundle by RAUC and by the release log, and then begins to install it.
func (u *Updater) inspect(ctx context.Context, s state) (time.Duration, error) {
	slots, err := u.where(ctx)
	if err != nil {
		u.setReason(sentence(err), false)
		return rest, nil //nolint:nilerr // said, and tried again
	}
	found, err := u.deps.Bundles.Inspect(ctx, u.dir.path(bundleFile))
	switch {
	case errors.Is(err, ErrRefused):
		return look, u.brokenOff(s, err)
	case err != nil:
		u.setReason(sentence(err), false)
		return rest, nil
	}
	if reason := mismatch(found, s); reason != "" {
		return look, u.refuse(s, reason)
	}
	if reason, _ := u.unfit(*s.Offer, slots); reason != "" {
		return look, u.refuse(s, reason)
	}
	return 0, u.change(func(s *state) {
		if s.Phase == offered {
			s.Phase, s.From, s.Into, s.Old, s.Boot = installing, slots.Booted, slots.Other, u.deps.Version, u.boot
			s.Camera = u.works("camera")
			s.tell(proto.StepInstalling, s.Offer.Version, "")
		}
	})
}

// lacksSpace returns a sentence if the storage has no room for the rest of a bundle.
func (u *Updater) lacksSpace(size int64) string {
	free, err := u.free(string(u.dir))
	if err != nil {
		return "The storage can't be looked at, so nothing is downloaded: " + err.Error()
	}
	need := size - u.fetch.Have(u.dir.path(bundleFile)) + margin
	if int64(min(free, 1<<62)) >= need {
		return ""
	}
	return fmt.Sprintf("The update needs %d MB of storage, and %d MB are free: remove something from the state's file system.", (need+999_999)/1_000_000, free/1_000_000)
}

// get downloads what is missing of the bundle, and verifies all of it.
func (u *Updater) get(ctx context.Context, s state) error {
	return u.fetch.Fetch(ctx, download.Item{
		URL: s.Offer.URL, Path: u.dir.path(bundleFile), Size: s.Offer.Size, SHA256: s.Offer.SHA256,
	}, func(percent int) { u.progress(percent, true) })
}

// notFetched handles the error of a download.
func (u *Updater) notFetched(s state, err error) (time.Duration, error) {
	if !errors.Is(err, download.ErrWrong) {
		u.setReason(sentence(err), false)
		return later, nil
	}
	u.setReason(sentence(err), true)
	return look, u.change(func(next *state) {
		if next.Retry.Version != s.Offer.Version { // once for each release
			next.tell(proto.StepRefused, s.Offer.Version, "what the server sent is not what was signed")
		}
		next.putOff(s.Offer.Version, sentence(err))
	})
}

// mismatch returns how the bundle differs from the offer, or "".
func mismatch(b Bundle, s state) string {
	o := s.Offer
	switch {
	case b.Compatible != o.Compatible:
		return fmt.Sprintf("its bundle is for %.64s", b.Compatible)
	case b.Version != o.Version:
		return fmt.Sprintf("its bundle holds version %.64s", b.Version)
	case b.Manifest == "":
		return "its bundle has no signed manifest"
	case b.Manifest != o.Manifest:
		return "its bundle is not the one that the release log names"
	}
	return ""
}

// refuse ends an update that may not be installed. The version is not tried again.
func (u *Updater) refuse(s state, reason string) error {
	u.log.Error("the update is refused", "version", s.Offer.Version, "reason", reason)
	u.setReason("The update was refused: "+reason, true)
	err := u.change(func(next *state) {
		next.fail(s.Offer.Version, short(reason))
		next.tell(proto.StepRefused, s.Offer.Version, reason)
		next.end()
	})
	u.sweep()
	return err
}

// resumeInstall installs, or installs again after an interruption: always from the start,
// with a bundle that was verified again.
func (u *Updater) resumeInstall(ctx context.Context, s state) (time.Duration, error) {
	if err := u.settle(ctx, s.From); err != nil {
		return 0, err
	}
	if !u.told() {
		return rest, nil // no slot is written before the household knows
	}
	if s.Retry.Version == s.Offer.Version && s.Retry.waits() {
		return rest, nil
	}
	if err := u.get(ctx, s); err != nil { // the bundle was damaged since: it begins again
		wait, kept := u.notFetched(s, err)
		return wait, errors.Join(kept, u.change(func(s *state) { s.Phase = offered }))
	}
	b := Bundle{Path: u.dir.path(bundleFile), Compatible: s.Offer.Compatible, Version: s.Offer.Version, Manifest: s.Offer.Manifest}
	err := u.deps.Slots.Install(ctx, b, func(percent int) { u.progress(percent, false) })
	switch {
	case errors.Is(err, ErrRefused):
		return look, u.brokenOff(s, err)
	case err != nil:
		u.setReason(sentence(err), false)
		return rest, nil
	}
	u.log.Info("the update is installed", "version", s.Offer.Version, "slot", s.Into)
	return 0, u.change(func(next *state) {
		next.Phase, next.Boot, next.Torn = installed, u.boot, 0
		next.tell(proto.StepInstalled, s.Offer.Version, "")
	})
}

// brokenOff handles an installation that RAUC refused or broke off. It is tried again a few
// times: the flash may have failed, or the clock may have been earlier than the signer's
// certificate, and a release must not be lost by that.
func (u *Updater) brokenOff(s state, err error) error {
	if s.Torn+1 >= maxTries {
		return u.refuse(s, sentence(err))
	}
	u.setReason(sentence(err), true)
	return u.change(func(next *state) {
		next.Phase, next.Torn = offered, next.Torn+1
		next.putOff(s.Offer.Version, sentence(err))
		if s.Torn == 0 {
			next.tell(proto.StepRefused, s.Offer.Version, sentence(err))
		}
	})
}

// awaitRestart restarts when it does not disturb the household. The old version runs: if the
// system was started meanwhile, the boot loader has given up the new one.
func (u *Updater) awaitRestart(ctx context.Context, s state) (time.Duration, error) {
	if s.Boot != u.boot {
		slots, err := u.deps.Slots.Status(ctx)
		if err != nil {
			u.setReason(sentence(err), false)
			return rest, nil //nolint:nilerr // said, and tried again
		}
		if s.Phase == restarting || slots.Primary != s.Into {
			return u.fellBack(s, "it did not start, and the boot loader went back to the previous version")
		}
	}
	if err := u.settle(ctx, s.From); err != nil {
		return 0, err
	}
	if s.Phase == restarting {
		return u.restart(s)
	}
	if gone, err := u.withdrawn(ctx, s); gone || err != nil {
		return rest, err
	}
	if !u.told() || !u.quiet() {
		return rest, nil
	}
	return 0, u.change(func(next *state) {
		if next.Phase == installed {
			next.Phase, next.Boot, next.Camera = restarting, u.boot, u.works("camera")
			next.tell(proto.StepRestarting, s.Offer.Version, "")
		}
	})
}

// restart asks the system to restart, and asks again if it did not.
func (u *Updater) restart(s state) (time.Duration, error) {
	if s.Phase == restarting && !u.told() {
		return rest, nil
	}
	if wait := time.Until(u.run.asked.Add(restartTime)); wait > 0 {
		return wait, nil
	}
	if !u.run.asked.IsZero() {
		u.setReason("The system was asked to restart, and did not: restart the camera.", false)
	}
	u.run.asked = time.Now()
	if err := u.deps.Restart(); err != nil {
		u.setReason("The system can't be asked to restart: "+err.Error(), false)
	}
	return restartTime, nil
}

// RestartBy returns a function that asks the system to restart: it writes a file that a
// systemd path unit waits for, because camd itself may not restart the system.
func RestartBy(path string) func() error {
	return func() error {
		if err := os.WriteFile(path, []byte("update\n"), 0o600); err != nil {
			return fmt.Errorf("ask for a restart: %w", err)
		}
		return nil
	}
}
