package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// reason is an error with a sentence for people, and its cause for errors.Is.
type reason struct {
	kind     error // release.ErrRefused, ErrUnreachable, ErrFork or ErrBeyond
	sentence string
	cause    error
}

func (r *reason) Error() string   { return r.sentence }
func (r *reason) Unwrap() []error { return []error{r.kind, r.cause} }

// reasons lists sentences and kinds of errors. The first that matches is used.
var reasons = []struct {
	is, kind error
	sentence string
}{
	{release.ErrFork, release.ErrFork, "The release log was forked: whoever keeps it has signed two different pasts. Nothing is installed from it any more; the proof is kept in the state folder, in update/fork. Tell the maker, and the other owners of such cameras."},
	{release.ErrLogBack, release.ErrRefused, "The release log has gone back: it is shorter than the one this camera saw before, so its releases are refused. Tell the maker."},
	{release.ErrFewWitnesses, release.ErrRefused, "Too few witnesses have signed the release log, so its releases are refused. The maker has to ask them."},
	{release.ErrNotLogged, release.ErrRefused, "The release is not in the public release log, so it is refused: nobody else may have seen it. Tell the maker."},
	{release.ErrCheckpoint, release.ErrRefused, "The release log is not signed by the key that this image trusts, so its releases are refused."},
	{release.ErrTiles, release.ErrRefused, "The release log's files don't fit what was signed, so its releases are refused. The maker has to publish them again."},
	{release.ErrRelease, release.ErrRefused, "The release describes itself in a way that this version does not understand, so it is refused."},
	{release.ErrRollout, release.ErrRefused, "The rollout is written in a way that this version does not understand, so nothing is installed."},
	{errRedirect, release.ErrRefused, "The update server redirects too often, or to an address without TLS, so it is not followed."},
	{errTooLarge, release.ErrRefused, "The update server sends more than it may, so its answer is ignored."},
	{&metadata.ErrExpiredMetadata{}, release.ErrRefused, "The list of releases is out of date, so it is refused. Either the maker has not renewed it, or this camera's clock is wrong."},
	{&metadata.ErrUnsignedMetadata{}, release.ErrRefused, "Too few of the keys that this image trusts have signed the list of releases, so it is refused."},
	{&metadata.ErrBadVersionNumber{}, release.ErrRefused, "The list of releases is older than one that this camera saw before, so it is refused."},
	{&metadata.ErrLengthOrHashMismatch{}, release.ErrRefused, "The files of the list of releases don't belong together, so it is refused. The maker has to publish them again."},
}

// errKeep is the error for a state folder that can't be used.
var errKeep = errors.New("what was seen of releases can't be kept")

// ours reports whether err is a fault of this device.
func ours(err error) bool {
	var path *fs.PathError
	var link *os.LinkError
	return errors.As(err, &path) || errors.As(err, &link)
}

// explain returns a sentence for the error of a look.
func explain(err error) error {
	fork := errors.Is(err, release.ErrFork) // which is reported even if its proof could not be stored
	switch {
	case errors.Is(err, release.ErrNone), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, release.ErrAnchors):
		return &reason{release.ErrAnchors, "The keys by which this image knows releases can't be used (" + without(err, release.ErrAnchors) + "): the maker has to build it with root.json, log.pub and witnesses.", err}
	case ours(err) && !fork, errors.Is(err, errKeep) && !fork:
		return &reason{errKeep, "What was seen of releases can't be kept (" + without(store.Bare(err), errKeep) + "): look at the storage of the state folder.", err}
	}
	unreachable := errors.Is(err, release.ErrUnreachable) && !errors.Is(err, errRedirect)
	var status *metadata.ErrDownloadHTTP
	switch {
	case errors.As(err, &status):
		return &reason{release.ErrUnreachable, fmt.Sprintf("The update server does not have a file that belongs to the list of releases (it answers %d). Its address may be wrong.", status.StatusCode), err}
	case unreachable && errors.Is(err, context.DeadlineExceeded):
		return &reason{release.ErrUnreachable, "The update server is too slow: a file did not come within two minutes. It is tried again later.", err}
	case unreachable:
		why := err
		if u := new(url.Error); errors.As(err, &u) {
			why = u.Err // without address and method
		}
		return &reason{release.ErrUnreachable, "The update server can't be reached: " + foreign.Line(why.Error()) + ". It is tried again later.", err}
	}
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return &reason{r.kind, r.sentence, err}
		}
	}
	return &reason{release.ErrRefused, "The list of releases is not written in a way that this version understands, so it is refused.", err}
}

// without returns the text of an error without its kind.
func without(err, kind error) string {
	return foreign.Line(strings.TrimPrefix(err.Error(), kind.Error()+": "))
}
