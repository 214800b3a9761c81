package main

import (
	"fmt"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

type logCmd struct {
	From        uint64 `arg:"--from" help:"number of the first entry to print" default:"0" placeholder:"N"`
	Verify      bool   `arg:"--verify" help:"print no entries, but compare all of them with what the camera signed"`
	Acknowledge bool   `arg:"--acknowledge" help:"end an alarm: what the camera shows now is trusted from here on"`
	Camera      string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
}

// Run prints the log, verifies it, or ends an alarm about it.
func (l logCmd) Run(env *environment) error {
	if l.Acknowledge {
		return l.acknowledge(env)
	}
	camera, err := env.dial(l.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	if l.Verify {
		return verifyLog(env, camera)
	}
	loc, err := camera.Location(env.ctx)
	if err != nil {
		return err
	}
	var dropped gap
	found := false
	_, err = camera.ReadLog(env.ctx, l.From, client.Reader{Each: func(r proto.LogRecord) error {
		found = true
		if r.Text == "" && !env.JSON {
			return dropped.add(env, r.Index)
		}
		if err := dropped.end(env); err != nil {
			return err
		}
		return env.printRecord(r, loc)
	}, Forgot: func(f accesslog.Front) error {
		return env.Print(forgotLine{f.Size, f.Encode()}, "%6d  to %d: dropped for their age; common hashes of them are kept.", 0, f.Size-1)
	}})
	if err != nil {
		return err
	}
	if !found {
		env.Note("The access log has no entry from number %d on that you may read.", l.From)
	}
	return dropped.end(env)
}

// acknowledge needs no connection.
func (l logCmd) acknowledge(env *environment) error {
	h, err := env.home()
	if err != nil {
		return err
	}
	record, err := h.Camera(l.Camera)
	if err != nil {
		return err
	}
	was, err := h.Acknowledge(record)
	if err != nil {
		return err
	}
	text := "There is no alarm about the camera %s."
	if was {
		text = "The alarm about the camera %s is over: what it showed then is believed from here on. What it was about is kept in the home, beside the camera's record."
	}
	return env.Print(map[string]bool{"acknowledged": was}, text, record.Title())
}

func verifyLog(env *environment, camera *connection) error {
	report, err := camera.VerifyLog(env.ctx)
	if err != nil {
		return err
	}
	if a := camera.Alarm(); a != nil {
		return fmt.Errorf("the access log is not verified while this alarm stands: %s", a.Sentence(camera.Record().Title()))
	}
	return env.Print(report, "%s camctl log prints those that you may read.", verifiedText(report))
}

func verifiedText(r client.LogReport) string {
	if !r.Complete {
		return fmt.Sprintf("The access log has %d entries and only grew since you saw it last. You may read your own %d entries, so the others could not be compared.", r.Entries, r.Texts)
	}
	text := fmt.Sprintf("The access log is verified up to entry %d: all %d entries are those that the camera signed, and it only grew since you saw it last.", max(r.Entries, 1)-1, r.Entries)
	if r.Forgot > 0 {
		text += fmt.Sprintf(" Of the first %d, only hashes of all of them together are kept.", r.Forgot)
	}
	if n := r.Entries - r.Texts - r.Forgot; n > 0 {
		text += fmt.Sprintf(" Of %d, only the hash is kept, for their age.", n)
	}
	return text
}

func (e *environment) printRecord(r proto.LogRecord, loc *time.Location) error {
	entry, err := accesslog.Parse([]byte(r.Text))
	switch {
	case r.Text == "":
		return e.printEntry(client.LogLine{Index: r.Index, Hash: r.Hash})
	case err != nil:
		return e.printEntry(client.LogLine{Index: r.Index, Sentence: "This entry is of a kind that this program can't read. Update it."})
	}
	return e.printEntry(client.NewLogLine(r.Index, entry, r.Text, loc))
}

func (e *environment) printEntry(l client.LogLine) error {
	at := ""
	if t, err := time.Parse(time.RFC3339, l.Time); err == nil {
		at = t.Format(time.DateTime)
	}
	return e.Print(l, "%6d  %-19s  %s", l.Index, at, foreign.Line(l.Sentence))
}

// forgotLine is one line of JSON about the oldest entries.
type forgotLine struct {
	Forgot uint64   `json:"forgot"` // how many
	Peaks  []string `json:"peaks"`  // hashes of the whole subtrees over them, the largest first
}

// gap is a run of entries whose texts were dropped.
type gap struct {
	first, last uint64
	open        bool
}

func (g *gap) add(env *environment, index uint64) error {
	if g.open && index == g.last+1 {
		g.last = index
		return nil
	}
	err := g.end(env)
	*g = gap{index, index, true}
	return err
}

func (g *gap) end(env *environment) error {
	if !g.open {
		return nil
	}
	g.open = false
	return env.Print(nil, "%6d  to %d: dropped for their age; their hashes are kept.", g.first, g.last)
}
