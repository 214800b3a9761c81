// Command table writes the table of pkg/auth/naming from confusables.txt, which Unicode
// publishes with UTS #39 at https://www.unicode.org/Public/security/. It keeps what can
// still be met after NFKC and NFD, in names that are not refused anyway.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

func main() {
	from := flag.String("from", "", "confusables.txt as Unicode publishes it")
	out := flag.String("o", "confusables.txt", "file to write")
	flag.Parse()
	if err := run(*from, *out); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(from, out string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is only read
	text, err := convert(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", from, err)
	}
	return os.WriteFile(out, []byte(text), 0o644) //nolint:gosec // a source file
}

func convert(r io.Reader) (string, error) {
	head, lines := "# Characters that look alike, from Unicode's confusables.txt (UTS #39)", map[string][]string{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := strings.TrimPrefix(s.Text(), "\ufeff")
		if version, ok := strings.CutPrefix(line, "# Version: "); ok {
			head += ", version " + version
		}
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Split(line, ";")
		if len(fields) != 3 {
			continue
		}
		source, to := strings.TrimSpace(fields[0]), strings.Join(strings.Fields(fields[1]), "+")
		n, err := strconv.ParseUint(source, 16, 21)
		if err != nil {
			return "", fmt.Errorf("%q: %w", s.Text(), err)
		}
		if met(rune(n)) {
			lines[to] = append(lines[to], source)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n# Copyright © Unicode, Inc., see LICENSE.unicode. Made by go generate.\n", head)
	for _, to := range slices.Sorted(maps.Keys(lines)) {
		slices.Sort(lines[to])
		fmt.Fprintf(&b, "%s %s\n", to, strings.Join(lines[to], " "))
	}
	return b.String(), s.Err()
}

// met reports whether a character is left by the normal forms, and may be in a name.
func met(r rune) bool {
	c := string(r)
	return unicode.IsPrint(r) && r != ' ' && norm.NFD.String(norm.NFKC.String(c)) == c
}
