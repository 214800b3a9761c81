package auth

import (
	"slices"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/proto"
)

// WiFiLog logs that a member changes the camera's Wi-Fi, of which all get a notice.
type WiFiLog struct {
	authority *Authority
	by        Request

	Entry *uint64 // in the access log, once Begun has made it
}

// NewWiFiLog returns the log of the change that a request asks for.
func (a *Authority) NewWiFiLog(r Request) *WiFiLog { return &WiFiLog{authority: a, by: r} }

// Begun makes the entry; the change must wait for a nil error. The right is decided once more,
// since other changes came between. The log does not have the network: notices go to guests
// too, its name says where the camera is, and the log forgets nothing.
func (c *WiFiLog) Begun() (entry uint64, err error) {
	a := c.authority
	defer a.changes.begin()()
	m, err := a.stillOwner(c.by)
	if err != nil {
		return 0, err
	}
	if code := a.sessions.whyBarred(); code != "" {
		return 0, proto.Refuse(code)
	}
	e := actor{m}.entry(accesslog.KindSettings)
	e.Set = []string{proto.SetUpWiFi}
	entry, err = a.changes.commit(nil, nil, e)
	if err == nil {
		c.Entry = &entry
	}
	return entry, err
}

// WiFiNotTaken logs that the camera went back from a change of Wi-Fi that was begun. It does so
// once, and not if the epoch has ended since.
func (a *Authority) WiFiNotTaken(entry uint64) {
	e, said, err := a.changes.read(entry)
	if err != nil || said || !slices.Contains(e.Set, proto.SetUpWiFi) {
		return
	}
	_, _ = a.journal.Append(accesslog.Entry{Kind: accesslog.KindEnd, Op: proto.OpWiFi, // the journal reports its errors
		Start: entry, Reason: accesslog.ReasonNotApplied})
}
