// Package ble is the client's side of setting a camera up over Bluetooth LE, on a computer
// with BlueZ. It finds a camera whose pairing window is open, and carries the messages of a
// conversation with it (docs/protocol.md 14). It trusts nothing that it receives: whether
// it is the right camera is decided by its label, in the conversation itself.
//
// A Conn is used by one goroutine at a time, except for Close, which any goroutine may call
// and which ends a read or write. Until Close, a Conn has a goroutine that keeps the camera
// from closing the connection while a person thinks.
package ble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/frame"
)

// Tests make these shorter.
var (
	findTime   = 30 * time.Second // for a camera to be found
	awakePause = 3 * time.Second  // between reads of the status: a camera waits for ten seconds
)

// Options say which camera to find, and with which adapter.
type Options struct {
	Adapter string                      // such as hci0; empty: the first one that is on
	Wanted  func(proto.DeviceID) bool   // reports whether this is the camera; nil: any camera is
	Note    func(text string, a ...any) // shows progress to a person; may be nil
}

// Conn is a conversation with a camera. It is a pairing.Conn.
type Conn struct {
	Device proto.DeviceID // as the camera says
	Owned  bool           // it has an owner

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	awake  sync.WaitGroup
	link   *link
	out    frame.Writer
	in     frame.Reader
}

// Dial finds a camera and connects to it. It tries all that it finds, until one is wanted.
// The caller must call Close.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	b, err := connect(ctx, o.Adapter)
	if err != nil {
		return nil, err
	}
	c, err := b.dial(ctx, o)
	if err != nil {
		b.close()
		return nil, err
	}
	// It reads the status now and then, and ignores what comes of it: the conversation finds
	// errors out by itself. docs/protocol.md 14.5.4.
	c.awake.Go(func() {
		tick := time.NewTicker(awakePause)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = c.link.read(c.ctx, uuidStatus)
			case <-c.ctx.Done():
				return
			}
		}
	})
	return c, nil
}

func (b *bluez) dial(ctx context.Context, o Options) (*Conn, error) {
	within, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	tried := map[dbus.ObjectPath]int{}
	var last error
	for {
		path, err := b.next(within, tried)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case within.Err() != nil && last != nil:
			return nil, last
		case within.Err() != nil:
			return nil, errors.New("no camera was found: hold its pairing button for three seconds, or have camd pair open its window, and come close to it")
		case err != nil:
			return nil, err
		}
		c, err := b.meet(ctx, path)
		if err != nil { // a link that failed can work the next time
			last = err
			tried[path]++
			select {
			case <-within.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		tried[path] = tries
		if o.Wanted == nil || o.Wanted(c.Device) {
			return c, nil
		}
		last = errors.New("another camera is open for pairing, and the one of this label is not: hold the pairing button of the right one")
		if o.Note != nil {
			o.Note("Found camera %s, which is not the one of this label. Still looking.", c.Device)
		}
		c.link.leave()
	}
}

// meet connects to a camera and reads its ID.
func (b *bluez) meet(ctx context.Context, path dbus.ObjectPath) (*Conn, error) {
	within, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	l, err := b.connectTo(within, path)
	if within.Err() != nil && ctx.Err() == nil {
		err = errors.New("it does not answer")
	}
	if err != nil {
		return nil, fmt.Errorf("a camera was found, and can't be reached: %w", err)
	}
	c := &Conn{link: l}
	if err := c.who(within); err != nil {
		l.leave()
		return nil, err
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return c, nil
}

// who reads the characteristic info. docs/protocol.md 14.3.
func (c *Conn) who(ctx context.Context) error {
	b, err := c.link.read(ctx, uuidInfo)
	if err != nil {
		return fmt.Errorf("a camera was found, and does not say who it is: %w", err)
	}
	var info struct {
		Version int            `json:"v"`
		Device  proto.DeviceID `json:"device"`
		Owned   bool           `json:"owned"`
	}
	switch err := json.Unmarshal(b, &info); {
	case err != nil || info.Version < version || !info.Device.Valid():
		return errors.New("something calls itself a camera, and is none that camctl knows")
	case info.Version > version:
		return errors.New("the camera speaks a newer version of setting up: update camctl")
	}
	c.Device, c.Owned = info.Device, info.Owned
	return nil
}

// LostError is the error of a conversation that the camera did not end: one sentence that
// says what did.
type LostError struct{ text string }

func (e *LostError) Error() string { return e.text }

// WriteMessage sends a message. Errors of a conversation are a *LostError, unless the
// camera itself ended it.
func (c *Conn) WriteMessage(message []byte) error {
	if len(message) == 0 || len(message) > proto.MaxMessage {
		return fmt.Errorf("a message of %d bytes", len(message))
	}
	for c.out.Load(message); !c.out.Done(); {
		if err := c.link.write(c.ctx, uuidRX, c.out.Next(frame.Size(c.link.mtu))); err != nil {
			return c.explain(err)
		}
	}
	return nil
}

// ReadMessage waits for a message. It reads again while there is none.
func (c *Conn) ReadMessage() ([]byte, error) {
	for {
		f, err := c.link.read(c.ctx, uuidTX)
		if err != nil {
			return nil, c.explain(err)
		}
		if len(f) == 0 {
			select {
			case <-c.ctx.Done():
				return nil, c.ctx.Err()
			case <-time.After(pollPause):
			}
			continue
		}
		if message, err := c.in.Add(f); err != nil || message != nil {
			return message, err
		}
	}
}

// explain asks the camera, if it is still there, why an operation failed.
func (c *Conn) explain(err error) error {
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	s, unread := c.link.read(c.ctx, uuidStatus)
	if unread != nil || len(s) < 1 {
		return &LostError{"the camera has gone: it is too far away, or its pairing window has closed"}
	}
	switch s[0] { // docs/protocol.md 14.5
	case 1:
		return &LostError{"somebody else is setting this camera up: wait until they are done"}
	case 3, 4:
		if lost, ok := reasons[s[len(s)-1]]; ok && len(s) == 2 {
			return &LostError{lost}
		}
		return errors.New("the camera has ended the conversation")
	}
	return err
}

// reasons are why the transport ended a conversation. docs/protocol.md 14.5.
var reasons = map[byte]string{
	1: "nothing reached the camera for ten seconds: come closer to it, and try again",
	2: "what reached the camera was not what was sent: come closer to it, and try again",
}

// Close ends the conversation and the link.
func (c *Conn) Close() error {
	if c.ctx.Err() == nil {
		c.cancel()
		c.awake.Wait()
		c.link.leave()
		c.link.bluez.close()
	}
	return nil
}
