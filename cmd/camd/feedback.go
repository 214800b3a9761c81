package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/audio/prompt"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/proto"
)

// How long the status LED shows something after it happened.
const (
	contactTime = time.Minute     // since the client that pairs last asked or set something
	failureTime = 5 * time.Second // since settings did not work
)

// feedback shows people at the camera how a pairing goes on, by prompts and the status LED.
// The lens reports the codes that it sees.
type feedback struct {
	auth.Provisioner
	say func(clip string)

	mu      sync.Mutex
	contact time.Time
	failure time.Time
	working int
}

// Ask implements auth.Provisioner.
func (f *feedback) Ask(ctx context.Context, ask proto.SetupAsk) (proto.SetupReply, error) {
	f.hear()
	return f.Provisioner.Ask(ctx, ask)
}

// Apply implements auth.Provisioner.
func (f *feedback) Apply(ctx context.Context, client proto.ClientID, s proto.SetupSettings, progress func(proto.SetupStep), enroll func() error) error {
	f.hear()
	work := func(n int) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.working += n
		f.contact = time.Now()
	}
	work(1)
	defer work(-1)
	err := f.Provisioner.Apply(ctx, client, s, progress, enroll)
	var problem *proto.SetupProblem
	if errors.As(err, &problem) {
		f.flash()
		f.say(string(failed(problem.Code)))
	}
	return err
}

// hear is called when a client that pairs sends something.
func (f *feedback) hear() {
	f.mu.Lock()
	first := time.Since(f.contact) > contactTime
	f.contact = time.Now()
	f.mu.Unlock()
	if first {
		f.say(string(prompt.SomeonePairs))
	}
}

// flash shows that something was refused. It says nothing, since strangers can cause it.
func (f *feedback) flash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = time.Now()
}

// failed returns what is said when settings do not work.
func failed(code proto.Code) prompt.Phrase {
	switch {
	case strings.HasPrefix(string(code), "wifi_"), code == proto.CodeNoWiFi:
		return prompt.WiFiFailed
	case strings.HasPrefix(string(code), "broker_"), code == proto.CodeNoInternet:
		return prompt.BrokerFailed
	}
	return prompt.SetupFailed
}

// stage reports whether a client pairs, its settings are tried, or did not work a moment ago.
func (f *feedback) stage() (joined, working, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.contact) <= contactTime, f.working > 0, time.Since(f.failure) <= failureTime
}
