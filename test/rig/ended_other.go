//go:build !linux

package rig

import "os"

// ended has nothing to do where no test traces what it started.
func ended(*os.Process) {}
