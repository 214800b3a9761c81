package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Source is a published folder.
type Source struct {
	Anchors string           // folder of the image's anchors
	State   string           // folder outside both slots, created if it is missing
	URL     string           // the published folder, https
	HTTP    *http.Client     // nil: the default one
	Now     func() time.Time // nil: time.Now
}

// Config is the configuration of a Catalog.
type Config struct {
	Source
	Compatible string        // kind of device
	Device     string        // this device's name, which decides its place in a rollout
	Version    string        // the running one
	Lowest     func() string // the lowest allowed version, "" for any; nil: any
}

// Catalog finds releases. It is safe for concurrent use.
type Catalog struct {
	cfg    Config
	base   *url.URL
	client *http.Client
	mu     sync.Mutex // held during a look, since the stored files are one state
}

// New checks the configuration and reads nothing.
func New(cfg Config) (*Catalog, error) {
	switch {
	case !release.ValidCompatible(cfg.Compatible):
		return nil, fmt.Errorf("%q is no kind of device", cfg.Compatible)
	case !release.ValidVersion(cfg.Version):
		return nil, fmt.Errorf("%q is no version: this image can't be updated over the network", cfg.Version)
	case cfg.Device == "":
		return nil, errors.New("updates need the device's name")
	}
	if cfg.Lowest == nil {
		cfg.Lowest = func() string { return "" }
	}
	return open(cfg)
}

func open(cfg Config) (*Catalog, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil || !secure(base) {
		return nil, errors.New("the update server's address must be written as https://host/folder")
	}
	if cfg.Anchors == "" || cfg.State == "" {
		return nil, errors.New("updates need a folder of anchors and a folder for their state")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Catalog{cfg: cfg, base: base, client: careful(cfg.HTTP)}, nil
}

// Latest returns the newest release that this device may install. Errors are sentences for
// people and wrap release.ErrNone, ErrUnreachable, ErrFork or ErrRefused, the last one with its
// reason. Any other error is a fault of this device.
// docs/updates.md 5.
func (c *Catalog) Latest(ctx context.Context) (release.Offer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	defer c.client.CloseIdleConnections() // the next look is hours away
	l, tree, err := c.look(ctx)
	if err != nil {
		return release.Offer{}, explain(err)
	}
	o, err := c.choose(l)
	if err == nil {
		err = tree.Includes(o.Index, o.Leaf())
	}
	if err != nil {
		return release.Offer{}, explain(err)
	}
	return o, nil
}

// look reads and verifies list and log, and stores what the next look is compared with.
func (c *Catalog) look(ctx context.Context) (listing, *release.Tree, error) {
	a, err := release.ReadAnchors(c.cfg.Anchors)
	if err != nil {
		return listing{}, nil, err
	}
	if err := c.forked(a); err != nil {
		return listing{}, nil, err
	}
	if err := os.MkdirAll(c.cfg.State, 0o700); err != nil {
		return listing{}, nil, fmt.Errorf("%w: %w", errKeep, store.Bare(err))
	}
	f := &fetcher{ctx: ctx, client: c.client, base: c.base, roots: map[int64][]byte{}}
	l, err := c.refresh(f, a.Root)
	if err != nil {
		return listing{}, nil, err
	}
	tree, err := c.readLog(f, a) // also when there is nothing new: a fork shows at once
	return l, tree, err
}

// choose returns the newest release that this device may update to. Only the top-level role
// targets can list releases; the rollout can withhold them.
func (c *Catalog) choose(l listing) (release.Offer, error) {
	offers, err := c.candidates(l)
	if err != nil {
		return release.Offer{}, err
	}
	if len(offers) == 0 {
		return release.Offer{}, release.ErrNone
	}
	r, err := l.rollout(c.cfg.Compatible)
	if err != nil {
		return release.Offer{}, err
	}
	slices.SortFunc(offers, func(a, b release.Offer) int { return release.Compare(b.Version, a.Version) })
	none := release.ErrNone
	for _, o := range offers {
		switch {
		case !r.Takes(o.Version, c.cfg.Device):
		case release.Compare(o.Minimum, c.cfg.Version) <= 0:
			return o, nil
		case !errors.Is(none, release.ErrBeyond): // the newest of them is named
			none = &reason{release.ErrBeyond, fmt.Sprintf("Version %s can be reached from %s on, and this camera runs %s.", o.Version, o.Minimum, c.cfg.Version), release.ErrBeyond}
		}
	}
	return release.Offer{}, none
}

// candidates returns the releases for this kind of device that are newer than its version.
func (c *Catalog) candidates(l listing) ([]release.Offer, error) {
	var offers []release.Offer
	lowest := c.cfg.Lowest()
	for name, target := range l.targets {
		o, err := c.offer(name, target, l.version)
		if o.Compatible != c.cfg.Compatible || release.Compare(o.Version, c.cfg.Version) <= 0 ||
			lowest != "" && release.Compare(o.Version, lowest) < 0 {
			continue // a release of another kind of device is no fault here
		}
		if err != nil {
			return nil, err
		}
		offers = append(offers, o)
	}
	return offers, nil
}

// offer reads a release. With an error it returns as much as it could read.
func (c *Catalog) offer(name string, target *metadata.TargetFiles, version int64) (release.Offer, error) {
	if target.Custom == nil {
		return release.Offer{}, release.ErrRelease
	}
	custom, err := release.ParseCustom(*target.Custom)
	if err != nil {
		return release.Offer{}, err
	}
	sum := target.Hashes["sha256"]
	o := release.Offer{
		Version: custom.Version, Compatible: custom.Compatible, Manifest: custom.Manifest,
		Minimum: custom.Minimum, Lowest: custom.Lowest, Notes: custom.Notes, Security: custom.Security,
		Size: target.Length, SHA256: sum, Targets: custom.Targets, Index: custom.Log,
		URL: c.base.JoinPath("targets", hex.EncodeToString(sum)+"."+name).String(),
	}
	switch {
	case name != release.BundleName(custom.Compatible, custom.Version):
		return o, fmt.Errorf("%w: %q is not its name", release.ErrRelease, name)
	case len(sum) != sha256.Size || target.Length <= 0:
		return o, fmt.Errorf("%w: length or hash of its bundle", release.ErrRelease)
	case custom.Targets > version:
		return o, fmt.Errorf("%w: it is of targets %d, and these are %d", release.ErrRelease, custom.Targets, version)
	}
	return o, nil
}

// Published is the whole content of a folder, for monitors of the maker.
type Published struct {
	Targets  int64           // version of the TUF targets metadata
	Releases []release.Offer // by kind and version
	Rollout  map[string]release.Rollout
	Log      *release.Tree // of the files of which the monitor reads every entry
}

// Read reads a published folder as a device does, with the same errors, but for all kinds of
// devices. A target that is no release is ErrRelease here: a monitor must know everything that
// the targets role has signed.
func Read(ctx context.Context, s Source) (Published, error) {
	c, err := open(Config{Source: s})
	if err != nil {
		return Published{}, err
	}
	defer c.client.CloseIdleConnections()
	l, tree, err := c.look(ctx)
	if err != nil {
		return Published{}, explain(err)
	}
	p := Published{Targets: l.version, Rollout: map[string]release.Rollout{}, Log: tree}
	for name, target := range l.targets {
		o, err := c.offer(name, target, l.version)
		if err != nil {
			return p, fmt.Errorf("the target %q: %w", name, err)
		}
		if p.Rollout[o.Compatible], err = l.rollout(o.Compatible); err != nil {
			return p, explain(err)
		}
		p.Releases = append(p.Releases, o)
	}
	slices.SortFunc(p.Releases, func(a, b release.Offer) int {
		return cmp.Or(strings.Compare(a.Compatible, b.Compatible), release.Compare(a.Version, b.Version))
	})
	return p, nil
}
