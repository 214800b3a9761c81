package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// What a test's machine may or may not have: clock, storage, group.
func TestCheckPlace(t *testing.T) {
	defer func(old string) { built = old }(built)
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	built = strconv.FormatInt(now.Unix(), 10)
	mine := &user.Group{Gid: strconv.Itoa(os.Getegid()), Name: "camd"}
	for name, c := range map[string]struct {
		look  func(r *report)
		want  string
		wrong bool
	}{
		"clock":           {func(r *report) { r.clock(now, true, "ntp") }, "clock ok it reads 2026-11-29 12:00 UTC", false},
		"unsynchronised":  {func(r *report) { r.clock(now, false, "ntp") }, "clock ? it reads 2026-11-29 12:00 UTC, and no time server vouches for it", false},
		"battery":         {func(r *report) { r.clock(now, false, "battery") }, "clock ok", false},
		"before it began": {func(r *report) { r.clock(now.AddDate(-50, 0, 0), true, "ntp") }, "clock WRONG it reads 1976-11-29 12:00 UTC, which is before this camd was made: set it", true},
		"space":           {func(r *report) { r.space("/s", roomWanted, nil) }, "space ok 96 MiB are free for /s", false},
		"little space":    {func(r *report) { r.space("/s", roomWanted-1, nil) }, "space ? 95 MiB are free for /s, and log, members and events may come to take 96", false},
		"no space":        {func(r *report) { r.space("/s", roomNeeded-1, nil) }, "space WRONG 15 MiB are free for /s: make room", true},
		"unknown space":   {func(r *report) { r.space("/s", 0, errors.New("gone")) }, "space ? how much is free", false},
		"own group":       {func(r *report) { r.group(mine, nil) }, "group ok", false},
		"no group":        {func(r *report) { r.group(nil, user.UnknownGroupError("camd")) }, "group - there is no group camd", false},
	} {
		var out bytes.Buffer
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)}
		c.look(r)
		if err := r.w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasPrefix(got, c.want) || r.wrong > 0 != c.wrong {
			t.Errorf("%s: %q, wrong %d, want %q", name, got, r.wrong, c.want)
		}
	}
}

// Of a socket that is there check says what run would do about it, and leaves it alone.
func TestCheckOfASocket(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(t *testing.T, path string)
		want string
	}{
		"left by a camd that was killed": {dead, "was left by an earlier camd and will be replaced"},
		"for datagrams": {func(t *testing.T, path string) {
			c, err := net.ListenPacket("unixgram", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
		}, "is a socket of another program, which camd leaves alone"},
	} {
		path := filepath.Join(t.TempDir(), "s")
		c.put(t, path)
		var out bytes.Buffer
		r := &report{w: tabwriter.NewWriter(&out, 0, 0, 1, ' ', 0)}
		r.socket(path)
		if err := r.w.Flush(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
