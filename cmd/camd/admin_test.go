package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/store"
)

// The close of a window ends its handshake (docs/protocol.md 5.6), so whoever says
// nothing on the socket holds up nobody who comes in the next window.
func TestANewWindowEndsAHandshakeThatHangs(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	state := t.TempDir()
	if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); err != nil {
		t.Fatal(err)
	}
	check := func(_ context.Context, path string) error { return store.CheckFile(path) }
	authority, err := auth.Open(t.Context(), auth.Config{State: state, Check: check}, log, health.NewBoard(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = authority.Close() })
	if err := authority.OpenWindow(time.Hour, "Anna"); err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		a := &admin{log: log, household: authority}
		a.limit.add(there)
		a.serve(t.Context(), there)
	}()
	_ = here.SetDeadline(time.Now().Add(joinPatience / 2))
	in := bufio.NewReader(here)
	if _, err := io.WriteString(here, "{\"cmd\":\"join\"}\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "true") {
		t.Fatalf("join is answered %q, %v", line, err)
	}
	if _, err := here.Write([]byte{0}); err != nil { // returns when the handshake reads
		t.Fatal(err)
	}
	if err := authority.OpenWindow(time.Hour, "Anna"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the handshake goes on: %v", err)
	}
	_ = here.Close()
	<-served
}

// What the socket is asked for wrongly is answered by a sentence, and nothing happens.
func TestWrongLocalCommands(t *testing.T) {
	for line, want := range map[string]string{
		`{"cmd":"fly"}`:                          `unknown command "fly"; allowed: `,
		`{"cmd":"privacy"}`:                      "privacy takes on: true or false",
		`{"cmd":"pair","window_seconds":0}`:      "from 1 second to 1 hour",
		`{"cmd":"settings","set":{}}`:            "did not understand",
		`{"cmd":"settings","set":{"name":"\n"}}`: "This name can't be used",
		`members`:                                "expected one line of JSON",
		strings.Repeat("x", adminLine):           "at most 4 KiB",
	} {
		log := slog.New(slog.DiscardHandler)
		state := t.TempDir()
		if _, err := identity.Init(state, identity.TPM{Use: identity.TPMOff}); err != nil {
			t.Fatal(err)
		}
		check := func(_ context.Context, path string) error { return store.CheckFile(path) }
		authority, err := auth.Open(t.Context(), auth.Config{State: state, Check: check, Household: auth.DefaultHousehold()}, log, health.NewBoard(log))
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			a := &admin{log: log, household: authority}
			a.limit.add(there)
			a.serve(t.Context(), there)
		}()
		go func() { _, _ = io.WriteString(here, line+"\n") }()
		got, err := bufio.NewReader(here).ReadString('\n')
		if err != nil || !strings.Contains(got, `"ok":false`) || !strings.Contains(strings.ReplaceAll(got, `\`, ""), want) {
			t.Errorf("%.40s: %q, %v", line, got, err)
		}
		_ = here.Close()
		<-served
		if err := authority.Close(); err != nil {
			t.Error(err)
		}
	}
}
