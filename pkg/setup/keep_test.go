package setup

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// TestPowerCut looks at what each durable write leaves: the settings and their client, or
// neither.
func TestPowerCut(t *testing.T) {
	for _, member := range []bool{false, true} {
		w := newWorld(t)
		w.members[anna] = member
		s := w.open()
		old := Settings{Broker: broker("old")}
		if err := s.keep.take(old); err != nil {
			t.Fatal(err)
		}
		s.current = old
		type cut struct {
			name, state string
			members     map[proto.ClientID]bool
			want        Settings
		}
		next := Settings{Broker: broker("new")}
		var cuts []cut
		snapshot := func(name string, want Settings) {
			state := t.TempDir()
			if err := os.CopyFS(state, os.DirFS(w.state)); err != nil {
				t.Fatal(err)
			}
			members := map[proto.ClientID]bool{anna: w.members[anna]}
			cuts = append(cuts, cut{name, state, members, want})
		}
		snapshot("before", old)
		err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("new")}, none, func() error {
			snapshot("before the enrolment", old)
			w.members[anna] = true
			if !member { // one who was a member is only told of it
				snapshot("after the enrolment", next)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		snapshot("after", next)
		for _, c := range cuts {
			w.members = c.members
			for range 2 { // and a cut while that is made good
				again, err := w.tryOpen(c.state)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				if !reflect.DeepEqual(again.Settings(), c.want) {
					t.Errorf("%s, member %v: %+v, want %+v", c.name, member, again.current, c.want)
				}
				if _, pending, err := again.keep.read(); err != nil || pending != nil {
					t.Errorf("%s: still pending: %v", c.name, err)
				}
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A storage that takes no more leaves all as it was, for the client too.
func TestStorageFails(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	if err := s.Close(); err != nil { // each write fails now
		t.Fatal(err)
	}
	err := s.Apply(t.Context(), anna, proto.SetupSettings{WiFi: wifi("home"), Broker: broker("b")}, none, func() error {
		t.Error("enrolled without its settings")
		return nil
	})
	if !isProblem(err, proto.CodeStorage) {
		t.Errorf("%v", err)
	}
	w.expect("", "join home", "try mqtts://b", "keep none")
}

func TestNothingIsReadable(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	set := proto.SetupSettings{WiFi: wifi("Anna's network"), Broker: broker("household.example")}
	if err := s.Apply(t.Context(), anna, set, none, w.enroll); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(StoreFile(w.state))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"correct horse", "household.example", "QW5uYSdz", "Anna's"} {
		if bytes.Contains(text, []byte(word)) {
			t.Errorf("%s holds %q", fileKeep, word)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(t.Context(), w.state, w.cfg.Check); err != nil || !reflect.DeepEqual(got, s.Settings()) {
		t.Errorf("Read: %+v, %v", got.WiFi, err)
	}
	if got, err := Read(t.Context(), t.TempDir(), w.cfg.Check); err != nil || !reflect.DeepEqual(got, Settings{}) {
		t.Errorf("Read of nothing: %+v, %v", got.WiFi, err)
	}
	if got := s.Settings().String(); strings.Contains(got, "horse") {
		t.Error(got)
	}
}

// What is damaged is gone, and the device can be set up again; nothing of it stays.
func TestDamage(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"overwritten": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 65536), 0o600) },
		"empty":       func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"cut":         func(path string) error { return os.Truncate(path, 5000) },
		"a folder":    func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"another key": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), fileKey), make([]byte, 32), 0o600)
		},
		"a short key": func(path string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), fileKey), []byte("x"), 0o600)
		},
		"no key": func(path string) error { return os.Remove(filepath.Join(filepath.Dir(path), fileKey)) },
		"gone":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.open()
			if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("old")}, none, w.enroll); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := harm(StoreFile(w.state)); err != nil {
				t.Fatal(err)
			}
			if s = w.open(); !reflect.DeepEqual(s.Settings(), Settings{}) {
				t.Errorf("%+v", s.current)
			}
			if err := s.Apply(t.Context(), anna, proto.SetupSettings{Broker: broker("new")}, none, w.enroll); err != nil {
				t.Errorf("set up again: %v", err)
			}
		})
	}
}

// A store that can't be judged is left alone, and camd does not start. T22
func TestAStoreThatCannotBeJudged(t *testing.T) {
	w := newWorld(t)
	if err := w.open().Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(StoreFile(w.state))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Check = func(context.Context, string) error { return errors.New("I/O error") }
	if s, err := w.tryOpen(w.state); err == nil || errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v, %v", s, err)
	}
	if after, err := os.ReadFile(StoreFile(w.state)); err != nil || !bytes.Equal(after, before) {
		t.Errorf("it was touched: %v", err)
	}
}
