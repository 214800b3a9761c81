//go:build !linux

package udp

import "errors"

func preferWay(*Socket, string) error { return errors.New("packets leave singly here") }
