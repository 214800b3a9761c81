//go:build !linux

package wifi

import "errors"

func listen(string) (arrivals, error) {
	return nil, errors.New("addresses can be looked for on Linux only")
}
