package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// Whatever a command says goes over the screen, and stays in its line.
func TestWhatOthersWroteStaysInItsPlace(t *testing.T) {
	const evil = "x\x1b[31m\u202e\u061c\ny"
	harmless := func(what, said string, lines int) {
		t.Helper()
		if n := strings.Count(strings.TrimRight(said, "\n"), "\n"); n != lines-1 || strings.ContainsAny(said, "\x1b\u202e\u061c") {
			t.Errorf("%s: %q, want %d lines", what, said, lines)
		}
	}
	var out, errOut bytes.Buffer
	if code := execute(t.Context(), []string{"--home", "/dev/null/" + evil, "id"}, &out, &errOut); code != 1 {
		t.Errorf("exit code %d", code)
	}
	harmless("an error", errOut.String(), 1)
	defer func(v string) { version = v }(version)
	version = strings.ReplaceAll(evil, "\n", " ")
	if code := execute(t.Context(), []string{"version"}, &out, &errOut); code != 0 {
		t.Errorf("exit code %d", code)
	}
	harmless("the output", out.String(), 1)
	member := proto.Member{Name: evil, Role: evil, Scopes: []proto.Scope{evil}, Weekly: evil, By: evil, Standing: evil}
	harmless("members", show(membersText([]proto.Member{member}, time.UTC, true)), 2)
	harmless("status", show(statusText(proto.StatusAnswer{Device: evil, Name: evil, Version: evil, Identity: evil,
		Conditions: []proto.Condition{{Name: evil, State: evil, Reason: evil}}, Sessions: []proto.Viewer{{Name: evil, Scopes: []proto.Scope{evil}}}})), 5)
	harmless("settings", show(settingsText(proto.Settings{Name: evil, TimeZone: evil, QuietHours: evil, PrivacyOff: evil, Talk: evil, UpdateHours: evil})), 8)
	harmless("an update", show(updateText(proto.UpdateStatus{State: evil, Version: evil, Offered: evil, Notes: evil, Reason: evil, Latest: 1, Checked: 1}, time.UTC)), 5)
	revoked := revokedText(proto.RevokeAnswer{Revoked: []proto.ClientID{evil}, Kept: []proto.ClientID{evil}}, nil, false)
	harmless("who was removed", show(revoked), 2)
	if strings.Contains(revoked, "pki remove") {
		t.Errorf("a command that the camera made up: %q", revoked)
	}
	out.Reset()
	errOut.Reset()
	env := &environment{Output: command.Output{Out: foreign.Screen(&out), ErrOut: foreign.Screen(&errOut)}}
	env.Note("%s %v", proto.Role(evil), errors.New(evil))
	kept := keptEvents{env: env, loc: time.UTC}
	if err := errors.Join(env.Print(nil, "%s %s", evil, proto.Scope(evil)), kept.show(proto.Event{Kind: evil})); err != nil {
		t.Error(err)
	}
	harmless("sentences", out.String(), 2)
	harmless("a note", errOut.String(), 1)
	var said bytes.Buffer
	(&connection{env: &environment{Output: command.Output{ErrOut: foreign.Screen(&said)}}, said: map[string]bool{}}).say([]string{proto.Code(evil).Sentence(), client.EndSentence(evil), client.TalkEndSentence(evil)})
	harmless("remarks", said.String(), 3)
}

func show(text string) string {
	var b bytes.Buffer
	_, _ = foreign.Screen(&b).Write([]byte(text)) // into memory
	return b.String()
}
