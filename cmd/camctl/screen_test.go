package main

import (
	"bytes"
	"fmt"
	"testing"
)

func TestScreenIsNotActedOn(t *testing.T) {
	var b bytes.Buffer
	if _, err := fmt.Fprintf(screen{&b}, "guest\x1b]0;owned\x07 Kitchen\x1b[31m\r\n\u202eannA\u2066\u200f\ttab Änne 安娜 █▀\n"); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "guest]0;owned Kitchen[31m\nannA\ttab Änne 安娜 █▀\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
