package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/proto"
)

// talkButton is what a press of the button does to a talk, for boards without a button:
// Accept lets the voice in that waits for it, EndTalk ends a talk, and Block keeps the next
// one out after one has just ended. Each reports whether there was a talk.
type talkButton interface {
	Accept() bool
	EndTalk() bool
	Block() bool
}

// household is what the socket may ask of the authority.
type household interface {
	OpenWindow(d time.Duration, name string) error
	Join(ctx context.Context, conn pairing.Conn) error
	Members() []proto.Member
	LogPage(epoch, from uint64) (proto.LogAnswer, error)
	Settings() proto.Settings
	ChangeSettings(proto.SettingsChange) (proto.Settings, error)
	SetPrivacy(on bool) error
	Evict() error
	Reset() error
}

// admin serves the Unix socket, the only socket that camd listens on. Only root and the
// group camd can connect to it: the file's mode says so, and nothing else does.
type admin struct {
	path      string
	device    proto.DeviceID
	log       *slog.Logger
	household household
	talk      talkButton
	ring      func(context.Context) error // for boards whose bell is no input device
	updates   *updates
	status    func() proto.StatusAnswer
	restart   func() // starts all parts again
	debug     *debugServer

	limit connLimit
}

func (a *admin) String() string { return "admin" }

// Run serves until ctx ends and has closed every connection when it returns.
func (a *admin) Run(ctx context.Context, ready func()) error {
	l, err := listen(a.path)
	if err != nil {
		return err
	}
	defer l.remove()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { <-ctx.Done(); l.Close() }) //nolint:errcheck // nothing to lose
	ready()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept on %s: %w", a.path, err)
		}
		// Here, so that the oldest is the one that came first.
		if oldest := a.limit.add(c); oldest != nil {
			turnAway(oldest)
		}
		wg.Go(func() { a.serve(ctx, c) })
	}
}

// turnAway closes a connection that is one too many. Its buffer is empty, so the answer
// does not block.
func turnAway(c net.Conn) {
	answer(c, adminAnswer{Error: "camd is busy with other local connections; try again in a moment"})
	c.Close() //nolint:errcheck // nothing to lose
}

// serve takes one command from one connection.
func (a *admin) serve(ctx context.Context, c net.Conn) {
	stop := context.AfterFunc(ctx, func() { c.Close() }) //nolint:errcheck // nothing to lose
	defer stop()
	defer c.Close() //nolint:errcheck // nothing to lose
	_ = c.SetDeadline(time.Now().Add(adminPatience))
	r := bufio.NewReaderSize(c, adminLine)
	line, err := r.ReadSlice('\n')
	if err != nil {
		a.limit.remove(c)
		if !errors.Is(err, io.EOF) {
			answer(c, adminAnswer{Error: "expected one line of JSON, at most 4 KiB"})
		}
		return
	}
	var q adminRequest
	if err := json.Unmarshal(line, &q); err != nil {
		a.limit.remove(c)
		answer(c, adminAnswer{Error: "expected one line of JSON such as {\"cmd\":\"status\"}"})
		return
	}
	if !a.limit.begin(c, q.Cmd) {
		turnAway(c)
		return
	}
	defer a.limit.end(q.Cmd)
	switch q.Cmd {
	case "join":
		a.join(ctx, c, r)
	case "evict", "reset":
		a.countDown(ctx, c, q.Cmd)
	case "debug":
		a.debug.serve(ctx, c, q)
	default:
		answer(c, a.do(ctx, q))
	}
}

// do carries out a command that is done at once.
func (a *admin) do(ctx context.Context, q adminRequest) adminAnswer {
	switch q.Cmd {
	case "status":
		s := a.status()
		return adminAnswer{OK: true, Status: &s}
	case "pair":
		d := time.Duration(q.WindowSeconds) * time.Second
		if d < time.Second || d > time.Hour {
			return adminAnswer{Error: "the pairing window must be open from 1 second to 1 hour"}
		}
		return orError(adminAnswer{OK: true}, a.household.OpenWindow(d, q.Name))
	case "members":
		return adminAnswer{OK: true, Members: a.household.Members()}
	case "log":
		p, err := a.household.LogPage(q.Epoch, q.From)
		return orError(adminAnswer{OK: true, Log: &p}, err)
	case "settings":
		s, err := a.household.Settings(), error(nil)
		if q.Set != nil {
			s, err = a.household.ChangeSettings(*q.Set)
		}
		return orError(adminAnswer{OK: true, Settings: &s}, err)
	case "privacy":
		if q.On == nil {
			return adminAnswer{Error: "privacy takes on: true or false"}
		}
		return orError(adminAnswer{OK: true}, a.household.SetPrivacy(*q.On))
	case "talk":
		return a.press(q.Press)
	case "update":
		_, err := a.updates.do(ctx, nil, proto.UpdateRequest{Do: cmp.Or(q.Do, proto.UpdateDoStatus), Until: q.Until})
		s := a.updates.status()
		return orError(adminAnswer{OK: true, Update: &s}, err)
	case "ring":
		return orError(adminAnswer{OK: true}, a.ring(ctx))
	}
	return adminAnswer{Error: fmt.Sprintf("unknown command %.40q; allowed: status, pair, join, members, log, settings, privacy, talk, ring, update, evict, reset, debug", q.Cmd)}
}

// press does what a press of the button would.
func (a *admin) press(what string) adminAnswer {
	switch {
	case what != "accept" && what != "end":
		return adminAnswer{Error: "talk takes press: accept or end"}
	case what == "accept" && !a.talk.Accept():
		return adminAnswer{Error: "Nobody is waiting to speak."}
	case what == "end" && !a.talk.EndTalk() && !a.talk.Block():
		return adminAnswer{Error: "Nobody is speaking through the camera."}
	}
	return adminAnswer{OK: true}
}

// orError returns ok, or the sentence of a refusal, or the error as it is: whoever asks is
// at the device.
func orError(ok adminAnswer, err error) adminAnswer {
	var refusal *proto.Refusal
	switch {
	case err == nil:
		return ok
	case errors.As(err, &refusal):
		return adminAnswer{Error: refusal.Error()}
	}
	return adminAnswer{Error: err.Error()}
}

// countDown removes everyone after some seconds, each of which is a line of the answer,
// unless the client closes the connection before.
func (a *admin) countDown(ctx context.Context, c net.Conn, cmd string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = c.SetDeadline(time.Now().Add(2 * endPatience))
	go func() { // ends with the connection, which serve closes
		_, _ = c.Read(make([]byte, 1))
		cancel()
	}()
	for n := endSeconds; n > 0; n-- {
		a.log.Warn("counting down", "to", cmd, "seconds", n)
		answer(c, adminAnswer{OK: true, Seconds: n})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			a.log.Warn("not done: the local client went away", "what", cmd)
			return
		}
	}
	end := map[string]func() error{"evict": a.household.Evict, "reset": a.household.Reset}[cmd]
	err := end()
	answer(c, orError(adminAnswer{OK: true}, err))
	if err == nil {
		a.restart()
	}
}

// join hands the rest of the stream to the pairing handshake.
func (a *admin) join(ctx context.Context, c net.Conn, r *bufio.Reader) {
	answer(c, adminAnswer{OK: true, Device: a.device})
	// Buffered bytes come first; the close lets the window's end end the handshake.
	conn := joining{pairing.NewFramed(struct {
		io.Reader
		io.Writer
		io.Closer
	}{r, c, c}), c}
	if err := a.household.Join(ctx, conn); err != nil {
		a.log.Warn("pairing failed", "error", err)
	}
}

// joining is a pairing on the local socket, with a time limit for each message.
type joining struct {
	pairing.Conn
	c net.Conn
}

// ReadMessage implements pairing.Conn.
func (j joining) ReadMessage() ([]byte, error) {
	_ = j.c.SetDeadline(time.Now().Add(joinPatience))
	return j.Conn.ReadMessage()
}

// WriteMessage implements pairing.Conn.
func (j joining) WriteMessage(msg []byte) error {
	_ = j.c.SetDeadline(time.Now().Add(joinPatience))
	return j.Conn.WriteMessage(msg)
}

// Close ends both sides.
func (j joining) Close() error { return j.c.Close() }

func answer(c net.Conn, v adminAnswer) {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs
	}
	_, _ = c.Write(append(line, '\n')) // a client that went away loses only its own answer
}
