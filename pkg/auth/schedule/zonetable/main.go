// Command zonetable writes the table of pkg/auth/schedule from the zone files that
// come with the Go toolchain. It leaves out, and names, each zone that has a change
// of its clocks ahead which its rule does not tell.
package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "zones.txt", "file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "zonetable:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("ask go for its root: %w", err)
	}
	files, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib/time/zoneinfo.zip"))
	if err != nil {
		return err
	}
	defer files.Close()
	byRule := map[string][]string{}
	for _, f := range files.File {
		rule, err := readRule(f)
		if errors.Is(err, errAhead) {
			fmt.Fprintf(os.Stderr, "left out %s: %v\n", f.Name, err)
		} else if err != nil {
			return fmt.Errorf("read %s: %w", f.Name, err)
		} else {
			byRule[rule] = append(byRule[rule], f.Name)
		}
	}
	var b strings.Builder
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		slices.Sort(byRule[rule])
		fmt.Fprintf(&b, "%s %s\n", rule, strings.Join(byRule[rule], " "))
	}
	return os.WriteFile(out, []byte(b.String()), 0o644) //nolint:gosec // a source file
}

var (
	errAhead = errors.New("it has changes ahead that its rule does not tell")
	errForm  = errors.New("not a zone file of version 2 or later")
)

// header is RFC 9636 3.1.
type header struct {
	Magic, Version                            [4]byte
	_                                         [12]byte
	IsUT, IsStd, Leap, Transition, Type, Char uint32
}

// readRule takes the footer (RFC 9636 3.3) of a zone whose last transition is past.
func readRule(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	b := bytes.NewReader(data)
	var h header
	for _, size := range []int64{4, 8} { // bytes of a time in the first block and the second
		if err := binary.Read(b, binary.BigEndian, &h); err != nil || string(h.Magic[:]) != "TZif" || h.Version[0] < '2' {
			return "", errForm
		}
		times := make([]byte, size*int64(h.Transition))
		if _, err := io.ReadFull(b, times); err != nil {
			return "", errForm
		}
		if n := len(times); size == 8 && n > 0 && time.Unix(int64(binary.BigEndian.Uint64(times[n-8:])), 0).After(time.Now()) {
			return "", errAhead
		}
		rest := int64(h.Transition) + 6*int64(h.Type) + int64(h.Char) + (size+4)*int64(h.Leap) + int64(h.IsStd) + int64(h.IsUT)
		if _, err := b.Seek(rest, io.SeekCurrent); err != nil {
			return "", err
		}
	}
	footer, err := io.ReadAll(b)
	if n := len(footer); err != nil || n < 3 || footer[0] != '\n' || footer[n-1] != '\n' {
		return "", errForm
	}
	return string(footer[1 : len(footer)-1]), nil
}
