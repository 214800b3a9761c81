package event

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// rung returns a disk on which rings with pictures of n bytes were kept.
func rung(t *testing.T, rings, n int) *disk {
	t.Helper()
	d := newDisk(t)
	synctest.Test(t, func(t *testing.T) {
		e := d.open(t, &house{shows: ofSize(n)})
		defer run(t, e)()
		for range rings {
			ringOnce(t, e)
			time.Sleep(time.Minute)
		}
	})
	return d
}

func reopened(t *testing.T, d *disk) *Events {
	t.Helper()
	e := d.open(t, &house{})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestEventsSurviveARestart(t *testing.T) {
	e := reopened(t, rung(t, 3, 10000))
	l := listed(t, e)
	if len(l) != 3 || l[0].ID != 1 || l[2].ID != 3 || l[2].Time-l[0].Time != (2*time.Minute).Milliseconds() {
		t.Fatalf("%+v", l)
	}
	for i, ev := range l {
		want, _ := ofSize(10000)(t.Context(), i)
		got, err := fetched(e, "anna", proto.EventsRequest{Event: ev.ID})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("picture of event %d: %d bytes, %v", ev.ID, len(got), err)
		}
	}
}

// Small pictures: the number of events is the bound. Large ones: the oldest go first,
// and their events stay.
func TestEventsAreBounded(t *testing.T) {
	e := reopened(t, rung(t, maxEvents+7, 5))
	if l := listed(t, e); len(l) != maxEvents || l[0].ID != 8 || l[maxEvents-1].ID != maxEvents+7 || l[0].Size != 5 {
		t.Errorf("%d kept, from %+v", len(l), l[0])
	}
	if _, err := fetched(e, "anna", proto.EventsRequest{Event: 7}); refused(err) != proto.CodeNoEvent {
		t.Errorf("an event that made room: %v", err)
	}

	d := rung(t, 30, proto.MaxPicture)
	e = reopened(t, d)
	l, bytes, with := listed(t, e), 0, 0
	for i, ev := range l {
		if bytes += ev.Size; ev.Size > 0 {
			with++
		}
		if has := i >= 30-maxPictures/proto.MaxPicture; has != (ev.Picture != "") {
			t.Errorf("event %d of 30 has picture %q", i, ev.Picture)
		}
	}
	if len(l) != 30 || bytes > maxPictures || with != maxPictures/proto.MaxPicture {
		t.Errorf("%d kept, %d of them with pictures of %d bytes", len(l), with, bytes)
	}
	if info, err := os.Stat(d.Path); err != nil || info.Size() > maxFile {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

func TestPictureThatIsTooLargeIsNotKept(t *testing.T) {
	for _, n := range []int{0, proto.MaxPicture + 1} {
		if l := listed(t, reopened(t, rung(t, 1, n))); len(l) != 1 || l[0].Picture != "" {
			t.Errorf("%d bytes: %+v", n, l)
		}
	}
}

func TestEventsLieSealed(t *testing.T) {
	d := rung(t, 2, 20000)
	file, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	picture, _ := ofSize(20000)(t.Context(), 0)
	for _, clear := range [][]byte{picture[:64], []byte(proto.PictureJPEG), []byte(proto.EventRing)} {
		if bytes.Contains(file, clear) {
			t.Errorf("%.20q lies in clear", clear)
		}
	}
}

// An eviction removes the epoch's key; then the events are wiped, even if a power cut
// or a copy leaves the old file.
func TestEventsGoWithTheEpoch(t *testing.T) {
	d := rung(t, 2, 20000)
	old, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	d.newEpoch(t, 2)
	e := reopened(t, d)
	if l := listed(t, e); len(l) != 0 {
		t.Errorf("after an eviction: %+v", l)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(d.Path); err != nil || now.Size() >= int64(len(old)) {
		t.Errorf("the file still has %d bytes, %v", now.Size(), err)
	}
	if err := os.WriteFile(d.Path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if l := listed(t, reopened(t, d)); len(l) != 0 {
		t.Errorf("with the old file put back: %+v", l)
	}
}

func TestDamagedEventsAreWiped(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, d *disk){
		"the key is lost": func(t *testing.T, d *disk) {
			if err := os.Remove(d.Key); err != nil {
				t.Fatal(err)
			}
		},
		"the key is cut": func(t *testing.T, d *disk) {
			if err := os.Truncate(d.Key, 16); err != nil {
				t.Fatal(err)
			}
		},
		"a folder is in the key's place": func(t *testing.T, d *disk) {
			if err := errors.Join(os.Remove(d.Key), os.MkdirAll(filepath.Join(d.Key, "in it"), 0o700)); err != nil {
				t.Fatal(err)
			}
		},
		"a folder is in the file's place": func(t *testing.T, d *disk) {
			if err := errors.Join(os.Remove(d.Path), os.MkdirAll(filepath.Join(d.Path, "in it"), 0o700)); err != nil {
				t.Fatal(err)
			}
			d.Check = func(_ context.Context, path string) error { return store.CheckFile(path) }
		},
		"the check says so": func(_ *testing.T, d *disk) {
			ok := d.Check
			d.Check = failOnce(store.ErrDamaged, ok)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := rung(t, 2, 100)
			damage(t, d)
			e := reopened(t, d)
			if l := listed(t, e); len(l) != 0 || e.health.Status().State != health.OK {
				t.Errorf("%+v, %+v", l, e.health.Status())
			}
		})
	}
}

// A file that can't be judged is left alone, and the bell works without it.
func TestBellWorksWithoutAStore(t *testing.T) {
	d := rung(t, 2, 100)
	before, err := os.ReadFile(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	ok := d.Check
	d.Check = failOnce(errors.New("input/output error"), ok)
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		h := &house{shows: ofSize(9)}
		e := Open(t.Context(), d.Config, log, health.NewBoard(log), Deps{Household: h, Camera: h, Video: h})
		defer run(t, e)()
		ringOnce(t, e)
		synctest.Wait()
		if s := e.health.Status(); s.State != health.Degraded || s.Reason == "" || h.count("told") != 1 {
			t.Errorf("%+v, %+v", s, h.steps())
		}
		if _, err := e.Answer("anna", proto.EventsRequest{}); !errors.Is(err, errNoKeeper) {
			t.Errorf("the list: %v", err)
		}
	})
	if after, err := os.ReadFile(d.Path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was touched, %v", err)
	}
	if l := listed(t, reopened(t, d)); len(l) != 2 {
		t.Errorf("%d kept after it was mended", len(l))
	}
}

func TestKeyLiesBesideTheEpochsKeys(t *testing.T) {
	d := rung(t, 1, 10)
	if info, err := os.Stat(filepath.Join(filepath.Dir(d.Path), "1", "event.key")); err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("%+v, %v", info, err)
	}
}
