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

// How long the room is told of what is over.
const (
	contactTime = time.Minute     // since who pairs last asked or set something
	failureTime = 5 * time.Second // since settings did not work
)

// feedback tells people at the camera what who pairs is at, by prompts and the status LED.
// That somebody shows a code it learns from the lens.
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
	f.work(1)
	defer f.work(-1)
	err := f.Provisioner.Apply(ctx, client, s, progress, enroll)
	var problem *proto.SetupProblem
	if errors.As(err, &problem) {
		f.fail(problem.Code)
	}
	return err
}

func (f *feedback) hear() {
	f.mu.Lock()
	first := time.Since(f.contact) > contactTime
	f.contact = time.Now()
	f.mu.Unlock()
	if first {
		f.say(string(prompt.SomeonePairs))
	}
}

func (f *feedback) work(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.working += n
	f.contact = time.Now()
}

func (f *feedback) fail(code proto.Code) {
	f.flash()
	f.say(string(failed(code)))
}

// flash shows that something is not taken, and says nothing: strangers may cause it.
func (f *feedback) flash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failure = time.Now()
}

// failed is what is said of settings that do not work.
func failed(code proto.Code) prompt.Phrase {
	switch {
	case strings.HasPrefix(string(code), "wifi_"), code == proto.CodeNoWiFi:
		return prompt.WiFiFailed
	case strings.HasPrefix(string(code), "broker_"), code == proto.CodeNoInternet:
		return prompt.BrokerFailed
	}
	return prompt.SetupFailed
}

// stage tells whether somebody pairs, what they set is tried, or did not work a moment ago.
func (f *feedback) stage() (joined, working, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Since(f.contact) <= contactTime, f.working > 0, time.Since(f.failure) <= failureTime
}
