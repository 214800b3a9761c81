package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/audio/jitter"
	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/proto"
)

// What the state folder needs: its databases grow to 64, 16 and 8 MiB at most, and
// a change needs room before it gives some back.
const (
	roomWanted = 96 << 20
	roomNeeded = 16 << 20
)

// place looks at where camd runs: clock, storage, socket and its group.
func (r *report) place(cfg config.Config) {
	now, synchronised := kernelClock()
	r.clock(now, synchronised, cfg.Household.Clock)
	free, err := freeSpace(nearest(cfg.Device.State))
	r.space(cfg.Device.State, free, err)
	r.socket(cfg.Device.Socket)
	g, err := user.LookupGroup("camd")
	r.group(g, err)
}

// clock reports the clock's state, and which rights depend on it. Those of owners never do.
func (r *report) clock(now time.Time, synchronised bool, rule string) {
	reads := "it reads " + now.UTC().Format("2006-01-02 15:04 UTC")
	made, _ := strconv.ParseInt(built, 10, 64) // 0 if it isn't known
	switch {
	case now.Before(time.Unix(made, 0)):
		r.fail("clock", reads+", which is before this camd was made: set it, or certificates count as not yet valid")
	case !synchronised && rule == "ntp":
		r.line("clock", "?", reads+", and no time server vouches for it: until one does (chrony, ntpd, systemd-timesyncd), members with hours or an end are refused; a board with a battery sets household.clock = \"battery\"")
	default:
		r.line("clock", "ok", reads)
	}
}

// space compares what is free for the state folder with what its databases may take.
func (r *report) space(state string, free uint64, err error) {
	size := fmt.Sprintf("%d MiB are free for %s", free>>20, state)
	switch {
	case err != nil:
		r.line("space", "?", fmt.Sprintf("how much is free for %s is unknown: %v", state, err))
	case free < roomNeeded:
		r.fail("space", size+": make room, since nothing is shown that can't be logged")
	case free < roomWanted:
		r.line("space", "?", fmt.Sprintf("%s, and log, members and events may come to take %d: nothing is shown once it is full", size, roomWanted>>20))
	default:
		r.line("space", "ok", size)
	}
}

// nearest is path, or the folder above it that there is.
func nearest(path string) string {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			return p
		}
	}
}

func (r *report) socket(path string) {
	if _, err := ask(path, adminRequest{Cmd: "status"}); err == nil {
		r.line("socket", "ok", path+" is served by the camd that runs")
		return
	}
	left, err := leftover(path)
	switch {
	case err != nil:
		r.fail("socket", err.Error())
	case left:
		r.line("socket", "ok", path+" was left by an earlier camd and will be replaced by camd run")
	case unix.Access(nearest(filepath.Dir(path)), unix.W_OK) != nil:
		r.fail("socket", fmt.Sprintf("this user can't make %s: make its folder for camd's user, as RuntimeDirectory= of systemd does", path))
	default:
		r.line("socket", "ok", path+" will be made by camd run")
	}
}

// group reports who can connect to the socket.
func (r *report) group(g *user.Group, err error) {
	if err != nil {
		r.line("group", "-", "there is no group camd, so nobody but camd's own user opens the socket: make it with addgroup --system camd")
		return
	}
	gid, _ := strconv.Atoi(g.Gid)
	mine, _ := os.Getgroups()
	if os.Geteuid() != 0 && os.Getegid() != gid && !slices.Contains(mine, gid) {
		r.fail("group", "this user is not in the group camd, which the socket is for: run camd as the user camd, or add this one with usermod -a -G camd")
		return
	}
	r.line("group", "ok", "members of the group camd may pair, look, and let someone pair: they can open the socket")
}

// meeting checks what a client that pairs is told of the broker.
func (r *report) meeting(cfg link.Config) {
	if _, err := brokerLogins(cfg, slog.New(slog.DiscardHandler)); err != nil {
		r.fail("pairing", strings.TrimPrefix(err.Error(), "configuration, table "))
		return
	}
	if cfg.ViewerBroker == "" && cfg.Broker != "" {
		r.line("pairing", "-", "clients that pair are told the camera's own address of the broker: set link.viewer_broker if viewers have another port, as with docs/mosquitto")
	}
	if cfg.MemberLogins == "" {
		r.line("pairing", "-", "clients that pair get no login for the broker and have to bring one: link.member_logins is not set")
		return
	}
	files, err := os.ReadDir(cfg.MemberLogins)
	if err != nil {
		r.fail("pairing", fmt.Sprintf("link.member_logins = %q can't be read by this user: %v", cfg.MemberLogins, errors.Unwrap(err)))
		return
	}
	good := 0
	for _, f := range files {
		id, isLogin := strings.CutSuffix(f.Name(), ".pem")
		if !isLogin {
			continue
		}
		if _, _, err := readLogin(filepath.Join(cfg.MemberLogins, f.Name()), proto.ClientID(id)); err != nil {
			r.fail("pairing", err.Error())
			continue
		}
		good++
	}
	r.line("pairing", "ok", fmt.Sprintf("logins in %s for clients that pair: %d", cfg.MemberLogins, good))
}

// parts makes the parts of the daemon and starts none, so that camd check refuses what camd
// run would refuse.
func (r *report) parts(cfg config.Config) {
	log := slog.New(slog.DiscardHandler)
	board, far := health.NewBoard(log), audio.NewFarEnd()
	video, sound := media.NewFeed[*media.AccessUnit](), media.NewFeed[*media.AudioFrame]()
	_, microphone := audio.New(cfg.Audio, log, board, sound, far)
	_, speaker := audio.NewSpeaker(cfg.Audio, log, board, audio.SpeakerDeps{Jitter: func() audio.Jitter { return jitter.New() }, Far: far})
	indicator, light := panel.NewIndicator(cfg.Panel, log, board)
	_, status := panel.NewStatus(cfg.Panel, log, board, nil)
	_, buttons := panel.New(cfg.Panel, log, board, panel.Actions{})
	var sessions error
	if camera, err := capture.New(cfg.Capture, log, board, video); err == nil { // else r.cameras has said so
		_, sessions = live.New(cfg.Live, log, board, live.Deps{Video: video, Audio: sound, Camera: camera, Bitrate: cfg.Capture.BitrateKbps * 1000, Indicator: indicator})
	}
	for _, p := range []struct {
		table string
		err   error
	}{{"audio", microphone}, {"audio", speaker}, {"panel", light}, {"panel", status}, {"panel", buttons}, {"live", sessions}, {"enrolment", cfg.Enrolment.Check(cfg.Link.CA)}} {
		if p.err != nil {
			r.fail(p.table, strings.TrimPrefix(p.err.Error(), "enrolment configuration: "))
		}
	}
	if cfg.Audio.Prompts != "" {
		if _, err := prompt.Open(cfg.Audio.Prompts); err != nil {
			r.fail("prompts", err.Error())
		}
	}
}
