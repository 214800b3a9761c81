package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/camd-project/camd/pkg/update/catalog"
	"github.com/camd-project/camd/pkg/update/release"
)

// Entry is an entry of a release log, and what is published of it.
type Entry struct {
	Index int64
	release.Leaf
	Offer *release.Offer // nil: no target has it, so no camera installs it now
	Share release.Share  // to whom it goes
}

// Report is the result of a monitor.
type Report struct {
	Targets   int64 // version of the TUF targets metadata
	Witnesses []string
	Entries   []Entry
	Wrong     []string // faults, in sentences
}

// ErrWrong means that a Report lists faults.
var ErrWrong = errors.New("the published releases and the release log disagree")

// Monitor reads a published folder, on this machine or a web server, as every camera does, and
// its whole log. It stores what it saw in state, so that the next call can find a fork.
func Monitor(ctx context.Context, anchors, state, from string) (Report, error) {
	s := catalog.Source{Anchors: anchors, State: state, URL: from}
	if isFolder(from) {
		dir, err := filepath.Abs(from)
		if err != nil {
			return Report{}, fmt.Errorf("find the folder: %w", err)
		}
		s.URL = "http://127.0.0.1/" // nobody is asked: the transport reads files
		s.HTTP = &http.Client{Transport: http.NewFileTransport(http.Dir(dir))}
	}
	p, err := catalog.Read(ctx, s)
	if err != nil {
		return Report{}, err
	}
	r := Report{Targets: p.Targets, Witnesses: p.Log.Witnesses}
	if err := r.compare(p); err != nil {
		return r, err
	}
	if len(r.Wrong) > 0 {
		return r, ErrWrong
	}
	return r, nil
}

// compare reads every entry of the log and compares it with what is published.
func (r *Report) compare(p catalog.Published) error {
	byIndex := map[int64]*release.Offer{}
	for i := range p.Releases {
		o := &p.Releases[i]
		if other := byIndex[o.Index]; other != nil {
			r.wrong("The releases %s and %s of %s both claim entry %d of the log.", other.Version, o.Version, o.Compatible, o.Index)
		}
		byIndex[o.Index] = o
	}
	manifests := map[string]string{} // by kind and version
	err := p.Log.Leaves(0, func(index int64, l release.Leaf) error {
		e := Entry{Index: index, Leaf: l}
		if o := byIndex[index]; o != nil && o.Leaf() == l {
			e.Offer = o
			e.Share = shareOf(p.Rollout[l.Compatible], l.Version)
			delete(byIndex, index)
		}
		name := release.BundleName(l.Compatible, l.Version)
		if m, twice := manifests[name]; twice && m != l.Manifest {
			r.wrong("The log holds two different releases that call themselves %s of %s.", l.Version, l.Compatible)
		}
		manifests[name] = l.Manifest
		r.Entries = append(r.Entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range byIndex {
		r.wrong("The release %s of %s is published, and the log does not hold it where it says (entry %d). Cameras refuse it.", o.Version, o.Compatible, o.Index)
	}
	return nil
}

func (r *Report) wrong(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

func shareOf(r release.Rollout, version string) release.Share {
	for _, s := range r.Releases {
		if s.Version == version {
			return s
		}
	}
	return release.Share{Version: version}
}
