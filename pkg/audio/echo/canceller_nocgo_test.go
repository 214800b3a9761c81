//go:build !cgo

package echo

import (
	"errors"
	"testing"
	"time"
)

func TestNotBuilt(t *testing.T) {
	if _, err := New(200 * time.Millisecond); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("New = %v, want ErrNotBuilt", err)
	}
}
