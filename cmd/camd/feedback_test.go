package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// provisioning is a Provisioner whose settings take a second.
type provisioning struct{ err error }

func (provisioning) Ask(context.Context, proto.SetupAsk) (proto.SetupReply, error) {
	return proto.SetupReply{}, nil
}

func (p provisioning) Apply(context.Context, proto.ClientID, proto.SetupSettings, func(proto.SetupStep), func() error) error {
	time.Sleep(time.Second)
	return p.err
}

func (provisioning) Settled() {}

func TestFeedback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var said []string
		f := &feedback{say: func(clip string) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, clip)
		}}
		expect := func(when string, joined, working, refused bool, clips ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if j, w, r := f.stage(); j != joined || w != working || r != refused || !slices.Equal(said, clips) {
				t.Errorf("%s: joined %v, working %v, refused %v, said %q", when, j, w, r, said)
			}
			said = nil
		}
		apply := func(err error) {
			f.Provisioner = provisioning{err}
			_ = f.Apply(t.Context(), "", proto.SetupSettings{}, nil, nil) // what it says counts
		}
		expect("before", false, false, false)
		f.Provisioner = provisioning{}
		for range 2 {
			if _, err := f.Ask(t.Context(), proto.SetupAsk{}); err != nil {
				t.Fatal(err)
			}
		}
		expect("asked", true, false, false, "phrase/someone-pairs")
		go apply(&proto.SetupProblem{Code: proto.CodeWiFiPassword})
		expect("tried", true, true, false)
		time.Sleep(time.Second)
		expect("failed", true, false, true, "phrase/wifi-failed")
		time.Sleep(failureTime + 1)
		expect("a while after", true, false, false)
		apply(&proto.SetupProblem{Code: proto.CodeBrokerRefused})
		expect("another", true, false, true, "phrase/broker-failed")
		apply(&proto.SetupProblem{Code: proto.CodeStorage})
		expect("another", true, false, true, "phrase/set-up-failed")
		apply(proto.Refuse(proto.CodeOwned)) // which says nothing of settings
		time.Sleep(failureTime)
		expect("refused", true, false, false)
		time.Sleep(contactTime)
		expect("nobody any more", false, false, false)
		apply(nil)
		expect("somebody else", true, false, false, "phrase/someone-pairs")
	})
}
