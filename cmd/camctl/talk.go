package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
)

// talkTail is how long a talk goes on after its last packet, which waits in the
// camera's jitter buffer and on its card.
const talkTail = 500 * time.Millisecond

type talkCmd struct {
	pathFlags
	Camera string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	File   string `arg:"--file" help:"send this Ogg Opus or WAV file instead of the microphone's sound" placeholder:"FILE"`
	Device string `arg:"--device" help:"the microphone, such as hw:1,0 (default: the first that works)" placeholder:"NAME"`
}

// Run asks to talk, and then sends until the sound or the talk ends.
func (t talkCmd) Run(env *environment) error {
	if t.File != "" && t.Device != "" {
		return command.Usage("--file and --device exclude each other")
	}
	o, err := t.options()
	if err != nil {
		return err
	}
	o.Talk = true
	open := func() (sound, error) { return openMicrophone(t.Device) }
	if t.File != "" {
		open = func() (sound, error) { return openSoundFile(t.File) }
	}
	from, err := open()
	if err != nil {
		return err
	}
	defer from.Close()
	camera, err := env.dial(t.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	session, err := camera.Watch(env.ctx, o)
	if err != nil {
		return err
	}
	defer session.Close()
	return t.talk(env, session, from)
}

// talkLine is one line of JSON.
type talkLine struct {
	State   string  `json:"state"` // announcing, live, ended
	Seconds float64 `json:"seconds,omitempty"`
	Reason  string  `json:"reason,omitempty"` // of the camera's
}

func (t talkCmd) talk(env *environment, session *client.Session, from sound) error {
	var printed error
	talk, err := session.Talk(env.ctx, func() {
		printed = env.Print(talkLine{State: "announcing"}, "The camera announces you: its chime sounds, and it says who speaks. Wait.")
	})
	if err != nil {
		return err
	}
	defer talk.Close() //nolint:contextcheck // its bye outlives ctx
	if printed != nil {
		return printed
	}
	text := "You are live: speak. Ctrl-C ends it."
	if t.File != "" {
		text = "You are live: " + t.File + " is being sent. Ctrl-C ends it."
	}
	if err := env.Print(talkLine{State: "live"}, "%s", text); err != nil {
		return err
	}
	sent, err := speak(env.ctx, talk, from)
	seconds := sent.Seconds()
	return errors.Join(err, env.Print(talkLine{State: "ended", Seconds: seconds, Reason: talk.Reason()}, "Sent %.1f s of sound.", seconds))
}

// sound is where packets of Opus come from.
type sound interface {
	// Start drops what was recorded until now.
	Start() error
	// Next waits for the next packet, and returns it and its samples at 48 kHz. At the end
	// the error is io.EOF.
	Next() (packet []byte, samples int, err error)
	Close()
}

// listener is a talk as speak sees it.
type listener interface {
	Write(packet []byte, samples int) error
	Done() <-chan struct{}
	Err() error
}

// speak sends each packet when it is due, until the sound ends, someone interrupts,
// or the camera ends the talk, which is an error.
func speak(ctx context.Context, to listener, from sound) (sent time.Duration, err error) {
	if err := from.Start(); err != nil {
		return 0, err
	}
	began := time.Now()
	for {
		packet, samples, err := from.Next()
		if errors.Is(err, io.EOF) {
			_, err = until(ctx, to, began.Add(sent+talkTail))
			return sent, err
		}
		if err != nil {
			return sent, err
		}
		if on, err := until(ctx, to, began.Add(sent)); !on {
			return sent, err
		}
		if err := to.Write(packet, samples); err != nil {
			return sent, fmt.Errorf("the sound can't be sent: %w", err)
		}
		sent += time.Duration(samples) * time.Second / 48000
	}
}

// until waits for a time, and reports whether it has come.
func until(ctx context.Context, to listener, due time.Time) (on bool, err error) {
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-to.Done():
		return false, to.Err()
	case <-ctx.Done():
		return false, nil
	default:
	}
	select {
	case <-wait.C:
		return true, nil
	case <-to.Done():
		return false, to.Err()
	case <-ctx.Done():
		return false, nil
	}
}
