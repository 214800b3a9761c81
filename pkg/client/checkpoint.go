package client

import (
	"bytes"
	"crypto/ed25519"
	"strings"

	"github.com/camd-project/camd/pkg/auth/accesslog"
)

// logOf names the access log of one epoch and the key that signs it.
type logOf struct {
	origin string
	key    ed25519.PublicKey
}

func (l logOf) parse(text string) (accesslog.Checkpoint, error) {
	return accesslog.ParseCheckpoint(text, l.origin, l.key)
}

// checkpoint reads the last one that was verified; the zero value if there is none
// of this epoch.
func (l *ledger) checkpoint(of logOf) (accesslog.Checkpoint, error) {
	data, err := l.read(fileCheckpoint)
	if err != nil || data == nil || !bytes.HasPrefix(data, []byte(of.origin+"\n")) && foreign(data) {
		return accesslog.Checkpoint{}, err
	}
	cp, err := of.parse(string(data))
	if err != nil {
		return cp, problem(err, "%s is damaged and was left as it is. It is what this client remembers of the camera's access log; move it away to begin anew.",
			l.path(fileCheckpoint))
	}
	return cp, nil
}

// foreign tells of a checkpoint of another epoch.
func foreign(data []byte) bool {
	first, _, _ := strings.Cut(string(data), "\n")
	return strings.HasPrefix(first, "camd/") && strings.Count(first, "/") == 2
}

// advance takes now as the last verified checkpoint, if the one that it was
// verified from is still the last. Another one that came meanwhile stays, since
// nothing proves that now continues it: the next request has that proved. A
// different one of the same size is returned: it contradicts now.
func (l *ledger) advance(of logOf, from, now accesslog.Checkpoint) (contradicts *accesslog.Checkpoint, err error) {
	err = l.change(func() error {
		stored, err := l.checkpoint(of)
		if err != nil {
			return err
		}
		if stored.Size == now.Size && stored.Hash != now.Hash && stored.Note != "" {
			contradicts = &stored
			return nil
		}
		if stored.Size != from.Size || stored.Hash != from.Hash || stored.Note != "" && stored.Size == now.Size {
			return nil
		}
		return l.write(fileCheckpoint, []byte(now.Note))
	})
	return contradicts, err
}

// Verified is the number of entries up to which the access log is verified.
func (c *Camera) Verified() uint64 {
	cp, err := c.ledger.checkpoint(c.logOf)
	if err != nil {
		c.log.Warn("can't read the last checkpoint", "error", err)
	}
	return cp.Size
}
