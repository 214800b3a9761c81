package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// connection is a command's connection to a camera. Beside what was asked for it
// says what the person has to know about the camera.
type connection struct {
	*client.Camera
	env *environment

	mu   sync.Mutex
	said map[string]bool
	stop chan struct{}
	wg   sync.WaitGroup
}

// dial connects to the camera that was named, or to the only one.
func (e *environment) dial(which string) (*connection, error) {
	h, err := e.home()
	if err != nil {
		return nil, err
	}
	record, err := h.Camera(which)
	if err != nil {
		return nil, err
	}
	keys, err := h.Keys()
	if err != nil {
		return nil, err
	}
	c := &connection{env: e, said: map[string]bool{}, stop: make(chan struct{})}
	c.say(h.Warnings(record))
	if c.Camera, err = client.Dial(e.ctx, h, keys, record, e.log); err != nil {
		return nil, err
	}
	c.wg.Go(func() { // a long command must say at once what it must not go on without
		for {
			select {
			case a := <-c.Alarms():
				c.say([]string{a.Sentence(c.Record().Title())})
			case <-c.stop:
				return
			}
		}
	})
	return c, nil
}

// Close says what came to light and ends the connection.
func (c *connection) Close() {
	close(c.stop)
	c.wg.Wait()
	c.say(c.Warnings(context.WithoutCancel(c.env.ctx)))
	c.Camera.Close()
}

// change makes one change of the household, and says what others have changed meanwhile.
func (c *connection) change(op proto.Op, body any, ask func() error) error {
	meanwhile, err := c.Change(c.env.ctx, op, body, ask)
	if len(meanwhile) > 0 {
		c.say([]string{"The household was changed meanwhile, in what this does not touch: " + strings.Join(meanwhile, " ")})
	}
	return err
}

// say prints each sentence once. Programs that read JSON don't read standard error.
func (c *connection) say(sentences []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range sentences {
		if !c.said[s] {
			c.said[s] = true
			_, _ = fmt.Fprintf(c.env.ErrOut, "camctl: %s\n", foreign.Line(s))
		}
	}
}
