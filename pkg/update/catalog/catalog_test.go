package catalog_test

import (
	"errors"
	"testing"

	"github.com/camd-project/camd/internal/publish/publishtest"
	"github.com/camd-project/camd/pkg/update/release"
)

// The whole way: published, read, offered.
func TestLatest(t *testing.T) {
	s := publishtest.New(t)
	s.Release("1.1.0")
	c := s.Catalog("1.0.0")
	o, err := c.Latest(t.Context())
	if err != nil || o.Version != "1.1.0" || o.Compatible != publishtest.Kind || o.Notes != "Notes of 1.1.0" || o.Index != 0 || o.Targets != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	if o, err := s.Catalog("1.1.0").Latest(t.Context()); !errors.Is(err, release.ErrNone) {
		t.Errorf("who has it is offered %+v, %v", o, err)
	}
	s.Release("1.2.0")
	if o, err = c.Latest(t.Context()); err != nil || o.Version != "1.2.0" || o.Index != 1 || o.Targets != 2 {
		t.Errorf("%+v, %v", o, err)
	}
}
