package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

// The picture of a ring is there a moment after its notice.
const (
	pictureTries = 25
	pictureEvery = time.Second
)

// keptLine is one line of JSON about an event that the camera keeps.
type keptLine struct {
	Event proto.Event `json:"event"`
	Time  string      `json:"time"` // RFC 3339, in the household's time zone
}

// keptEvents are what the camera keeps for its members.
type keptEvents struct {
	env    *environment
	camera *client.Camera
	loc    *time.Location
	dir    string // where pictures are saved; empty: nowhere
}

// list shows what is kept, and saves the pictures.
func (k keptEvents) list() error {
	l, err := k.camera.Events(k.env.ctx)
	var r *client.Refused
	if errors.As(err, &r) && r.Code == proto.CodeUnknownOp && k.dir == "" { // an older camera
		return nil
	}
	if err != nil {
		return err
	}
	if len(l) > 0 {
		k.env.Note("The camera keeps:")
	}
	for _, ev := range l {
		if err := k.show(ev); err != nil {
			return err
		}
		if k.dir == "" || ev.Picture == "" {
			continue
		}
		if err := k.save(ev.ID, time.UnixMilli(ev.Time)); err != nil {
			return err
		}
	}
	return nil
}

func (k keptEvents) show(ev proto.Event) error {
	at, what := time.UnixMilli(ev.Time).In(k.loc), "no picture"
	if ev.Picture != "" {
		what = fmt.Sprintf("%s of %d bytes", kindName(ev.Picture), ev.Size)
	}
	return k.env.Print(keptLine{ev, at.Format(time.RFC3339)}, "%6d  %-19s  %s, %s", ev.ID, at.Format(time.DateTime), ev.Kind, what)
}

// save fetches the picture of an event, unless it was saved before.
func (k keptEvents) save(id uint64, at time.Time) error {
	name := filepath.Join(k.dir, fmt.Sprintf("ring-%s-%d", at.In(k.loc).Format("20060102-150405"), id))
	for _, kind := range []string{proto.PictureJPEG, proto.PictureMP4} {
		if _, err := os.Lstat(pictureName(name, kind)); err == nil {
			return nil
		}
	}
	p, err := k.camera.EventPicture(k.env.ctx, id)
	var r *client.Refused
	if errors.As(err, &r) && r.Code == proto.CodeNoEvent {
		return errNoPicture
	}
	if err != nil {
		return err
	}
	path := pictureName(name, p.Kind)
	if err := savePicture(path, p, false); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return k.env.Print(saved{File: path, Kind: p.Kind, Bytes: len(p.Data), Event: id}, "        saved %s", path)
}

var errNoPicture = errors.New("the event has no picture")

// await saves the picture of a ring that has just happened. That there is none, or that it
// can't be fetched, is no error: the next ring may have one.
func (k keptEvents) await(id uint64, at time.Time) {
	for try := range pictureTries {
		if try > 0 {
			select {
			case <-time.After(pictureEvery):
			case <-k.env.ctx.Done():
				return
			}
		}
		err := k.save(id, at)
		if err == nil {
			return
		}
		if !errors.Is(err, errNoPicture) {
			k.env.Note("The picture of event %d was not saved: %v", id, err)
			return
		}
	}
	k.env.Note("Event %d has no picture.", id)
}
