package auth

import (
	"fmt"

	"github.com/camd-project/camd/pkg/auth/naming"
)

// checkName returns an error for names that logs and lists can't show, and for names that a
// person would take for something else: with some names the log would say that nobody of the
// household did something. docs/protocol.md 5.6.
func checkName(name string) error {
	if err := naming.Check(name); err != nil {
		return err
	}
	for _, nobody := range []string{"someone", "the camera"} {
		if naming.Begins(name, nobody) {
			return fmt.Errorf("%w: it begins with what the log says when nobody of the household is meant, %q", naming.ErrName, nobody)
		}
	}
	return nil
}
