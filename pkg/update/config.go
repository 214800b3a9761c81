package update

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config is the table [update] of the configuration file.
type Config struct {
	URL           string `toml:"url" doc:"Address of the folder with the maker's releases: https://host/path. Empty: this camera does not update itself."`
	Anchors       string `toml:"anchors" doc:"Folder of the keys that releases must be signed with: root.json, log.pub and witnesses, as camops release init makes them."`
	Image         string `toml:"image" doc:"File in which the image says which one it is: os-release with IMAGE_ID, the kind of device, and IMAGE_VERSION, the release."`
	IntervalHours int    `toml:"interval_hours" allow:"1..168" doc:"Hours between two looks at the server, spread at random by a fifth."`
	RateKbit      int    `toml:"rate_kbit" allow:"0..1000000" doc:"A release is downloaded at this many kilobits a second at most; 0 for as fast as it goes. While someone watches or talks, the download waits."`
	BrokerMinutes int    `toml:"broker_minutes" allow:"1..120" doc:"If a new version works but does not reach the broker within this time, the previous version runs again, and has the same time to show whether it can."`
}

// DefaultConfig returns the default values. It names no server, so nothing is updated.
func DefaultConfig() Config {
	return Config{Anchors: "/usr/share/camd/update", Image: "/etc/os-release", IntervalHours: 6, RateKbit: 4000, BrokerMinutes: 10}
}

// On reports whether the camera updates itself.
func (c Config) On() bool { return c.URL != "" }

// Limits of an update. docs/operations.md names them.
const (
	// A household can postpone a release for so long after it was found, and its hours for
	// restarts count for so long. After twice that time not even a viewer delays it.
	patience         = 14 * 24 * time.Hour
	patienceSecurity = 2 * 24 * time.Hour

	firstPoll = 5 * time.Minute // after the start, at random within it
	unheard   = 72 * time.Hour  // without an answer of the server, after which health says so

	proofTime   = 10 * time.Minute // for camera, store and self-test to prove themselves
	maxBoots    = 3                // of a trial; with more, the version does not stay up
	restartTime = 5 * time.Minute  // for the system to restart after it was asked to

	firstPause = time.Hour // before the next try after a failure of the network or of space
	maxPause   = 7 * 24 * time.Hour
	maxTries   = 3 // of an installation that RAUC breaks off
	maxFailed  = 16
)

var errConfig = errors.New("update configuration")

func (c Config) check() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%w: url = %q: it must be https://host/path", errConfig, c.URL)
	case c.Anchors == "":
		return fmt.Errorf("%w: anchors is empty: it must name the folder with the maker's keys", errConfig)
	case c.IntervalHours < 1 || c.RateKbit < 0 || c.BrokerMinutes < 1:
		return fmt.Errorf("%w: interval_hours and broker_minutes must be 1 or more, rate_kbit 0 or more", errConfig)
	}
	return nil
}

// brokerTime returns how long the broker may take after all else has succeeded.
func (c Config) brokerTime() time.Duration { return time.Duration(c.BrokerMinutes) * time.Minute }
