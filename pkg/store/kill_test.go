package store

import (
	"bufio"
	"os/exec"
	"strconv"
	"testing"
)

// Ten times a process that commits is killed by SIGKILL: what it said was
// committed is there, and the file is sound.
func TestKilledWriterLosesNothing(t *testing.T) {
	path := create(t, 1)
	for round := range 10 {
		last := writeAndKill(t, path, 5+7*round)
		if err := ChildCheck(self(t), "child-check")(t.Context(), path); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		db, err := open(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(func(tx *Tx) error {
			_, err := items.Get(tx, Key64(last))
			return err
		})
		if err != nil {
			t.Errorf("round %d: commit %d was acknowledged and is gone: %v", round, last, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAndKill kills a writing child after about n commits and returns the last
// one that it acknowledged.
func writeAndKill(t *testing.T, path string, n int) uint64 {
	t.Helper()
	cmd := exec.Command(self(t), "child-write", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last uint64
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if last, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	return last
}
