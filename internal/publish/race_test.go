package publish_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/camd-project/camd/internal/publish"
	"github.com/camd-project/camd/internal/publish/publishtest"
)

// A publish by cron and people at their commands don't undo each other's work.
func TestTwoAtOnce(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.0.0")
	const n = 12
	var paths []string
	for i := range n {
		paths = append(paths, s.Bundle(fmt.Sprintf("1.1.%d", i)))
	}
	var all sync.WaitGroup
	for _, path := range paths {
		all.Go(func() {
			f, err := publish.Open(s.Path())
			if err == nil {
				_, err = f.Add(publish.Release{Bundle: path})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.SignWith("targets-1")
	s.SignWith("targets-2")
	for i := range n {
		all.Go(func() {
			f, err := publish.Open(s.Path())
			if err == nil {
				err = f.SetRollout("", fmt.Sprintf("1.1.%d", i), 100)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.PublishAll()
	r, err := publish.Monitor(t.Context(), s.Anchors, s.Temp("monitor"), s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Entries {
		if e.Offer == nil || e.Share.Percent != 100 {
			t.Errorf("%s: %d percent", e.Version, e.Share.Percent)
		}
	}
	if len(r.Entries) != n+1 {
		t.Errorf("%d entries, want %d", len(r.Entries), n+1)
	}
}
