package main

import (
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of the local socket. docs/protocol.md 10.
const (
	adminLine     = 4 << 10          // longest command line, bytes
	adminPatience = 10 * time.Second // for the command line, and for each answer to be taken
	joinPatience  = 5 * time.Minute  // for each message of a pairing; a person may have to look for a password
	endSeconds    = 10               // that are counted down before everyone is removed
	endPatience   = time.Minute      // for sessions to end, and for the storage
)

// adminRequest is the one line that a client of the socket sends. docs/protocol.md 10.2.
type adminRequest struct {
	Cmd           string                `json:"cmd"`
	WindowSeconds int                   `json:"window_seconds,omitempty"`
	Name          string                `json:"name,omitempty"`
	Epoch         uint64                `json:"epoch,omitempty"`
	From          uint64                `json:"from,omitempty"`
	On            *bool                 `json:"on,omitempty"`
	Press         string                `json:"press,omitempty"` // accept, end
	Set           *proto.SettingsChange `json:"set,omitempty"`
	What          string                `json:"what,omitempty"`    // debug: log, goroutines, heap, cpu
	Level         string                `json:"level,omitempty"`   // debug log
	Seconds       int                   `json:"seconds,omitempty"` // debug cpu
	Do            proto.UpdateDo        `json:"do,omitempty"`      // update; empty: status
	Until         int64                 `json:"until,omitempty"`   // update
}

// adminAnswer is the one line that it gets, or one of several while something counts
// down. docs/protocol.md 10.2.
type adminAnswer struct {
	OK       bool                `json:"ok"`
	Error    string              `json:"error,omitempty"`
	Status   *proto.StatusAnswer `json:"status,omitempty"`
	Device   proto.DeviceID      `json:"device,omitempty"`
	Members  []proto.Member      `json:"members,omitempty"`
	Log      *proto.LogAnswer    `json:"log,omitempty"`
	Settings *proto.Settings     `json:"settings,omitempty"`
	Update   *proto.UpdateStatus `json:"update,omitempty"`
	Seconds  int                 `json:"seconds,omitempty"` // until it happens
}
