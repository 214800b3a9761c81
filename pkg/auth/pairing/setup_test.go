package pairing

import (
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// fakeSetup hears two networks, and takes the password of one.
type fakeSetup struct {
	err   error // of both; nil: none
	set   []proto.SetupSettings
	while func(ctx context.Context, progress func(proto.SetupStep)) error // what trying them is; nil: two steps
}

var heard = proto.SetupReply{Networks: []proto.Network{
	{SSID: "Anna's", Security: proto.SecurityWPA2, Signal: -48, Band: "2.4"},
	{SSID: "\xff\x00", Security: proto.SecurityOpen, Signal: -77, Band: "5"}}}

func (f *fakeSetup) Ask(_ context.Context, _ envelope.PublicKey, ask proto.SetupAsk) (proto.SetupReply, error) {
	if ask.Do != proto.SetupDoNetworks {
		return proto.SetupReply{}, &proto.SetupProblem{Code: proto.CodeBadRequest}
	}
	return heard, f.err
}

func (f *fakeSetup) Apply(ctx context.Context, _ envelope.PublicKey, _ []byte, s proto.SetupSettings, progress func(proto.SetupStep)) (Receipt, error) {
	f.set = append(f.set, s)
	if f.err != nil {
		return Receipt{}, f.err
	}
	if f.while != nil {
		if err := f.while(ctx, progress); err != nil {
			return Receipt{}, err
		}
	}
	progress(proto.StepWiFi)
	if s.WiFi.Password != "correct horse" {
		return Receipt{}, &proto.SetupProblem{Code: proto.CodeWiFiPassword}
	}
	progress(proto.StepBroker)
	progress(proto.StepSaving)
	return Receipt{Role: proto.RoleOwner, Name: "Anna", Broker: testBroker}, nil
}

func settings(password proto.Secret) proto.SetupSettings {
	return proto.SetupSettings{
		WiFi:   &proto.WiFi{SSID: "Anna's", Password: password, Security: proto.SecurityWPA2},
		Broker: &proto.SetupBroker{URL: "mqtts://broker.example:8883", ViewerURL: "mqtts://broker.example:8884", CA: "-----BEGIN CERTIFICATE-----\n"},
	}
}

// settleAtSecond asks, sets a password that is wrong, asks again, and sets the right one.
func settleAtSecond(_ context.Context, t *Talk) error {
	if _, err := t.Ask(proto.SetupDoNetworks); err != nil {
		return err
	}
	var problem *proto.SetupProblem
	if err := t.Set(settings("incorrect horse"), nil); !errors.As(err, &problem) {
		return errors.Join(errors.New("took a wrong password"), err)
	}
	if _, err := t.Ask(proto.SetupDoNetworks); err != nil {
		return err
	}
	return t.Set(settings("correct horse"), nil)
}

func TestConversation(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	f := &fakeSetup{}
	d.Setup = f
	d.Enroll = func(context.Context, envelope.PublicKey, []byte) (Receipt, error) {
		t.Error("enrolled without its settings")
		return Receipt{}, nil
	}
	var steps []proto.SetupStep
	c.Setup = func(_ context.Context, talk *Talk) error {
		if r, err := talk.Ask(proto.SetupDoNetworks); err != nil || !reflect.DeepEqual(r, heard) {
			t.Errorf("networks: %+v, %v", r, err)
		}
		for _, do := range []proto.SetupDo{proto.SetupDoRequest, "later"} {
			if _, err := talk.Ask(do); !isProblem(err, proto.CodeBadRequest) {
				t.Errorf("%s: %v", do, err)
			}
		}
		if err := talk.Set(settings("incorrect horse"), nil); !isProblem(err, proto.CodeWiFiPassword) {
			t.Errorf("a wrong password: %v", err)
		}
		return talk.Set(settings("correct horse"), func(s proto.SetupStep) { steps = append(steps, s) })
	}
	o := pair(t, d, c, nil, nil)
	if o.clientErr != nil || o.deviceErr != nil || o.paired.Receipt != o.receipt || o.receipt.Broker != testBroker {
		t.Fatalf("client %v, device %v, %+v", o.clientErr, o.deviceErr, o.receipt)
	}
	if want := []proto.SetupSettings{settings("incorrect horse"), settings("correct horse")}; !reflect.DeepEqual(f.set, want) {
		t.Errorf("the device was given %+v, want %+v", f.set, want)
	}
	if want := []proto.SetupStep{proto.StepWiFi, proto.StepBroker, proto.StepSaving}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

func isProblem(err error, code proto.Code) bool {
	var p *proto.SetupProblem
	return errors.As(err, &p) && p.Code == code
}

// What ends the conversation, on both sides.
func TestConversationEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		client func(error) bool
	}{
		"refused":    {proto.Refuse(proto.CodeOwned), func(err error) bool { var r *proto.Refusal; return errors.As(err, &r) && r.Code == proto.CodeOwned }},
		"went wrong": {errors.New("disk on fire"), func(err error) bool { return Sentence(err) == proto.CodeInternal.Sentence() }},
	} {
		for _, do := range []func(*Talk) error{
			func(talk *Talk) error { _, err := talk.Ask(proto.SetupDoNetworks); return err },
			func(talk *Talk) error { return talk.Set(settings("correct horse"), nil) },
		} {
			d, c := newDevice(t, "device identity"), newClient(t)
			d.Setup, c.Setup = &fakeSetup{err: tc.err}, func(_ context.Context, talk *Talk) error { return do(talk) }
			if o := pair(t, d, c, nil, nil); !tc.client(o.clientErr) || !errors.Is(o.deviceErr, tc.err) || o.receipt != (Receipt{}) {
				t.Errorf("%s: client %v, device %v", name, o.clientErr, o.deviceErr)
			}
		}
	}
}

// A device that can't be set up says so, and enrols all the same.
func TestADeviceThatIsFixed(t *testing.T) {
	d, c := newDevice(t, "device identity"), newClient(t)
	c.Setup = func(_ context.Context, talk *Talk) error {
		if _, err := talk.Ask(proto.SetupDoNetworks); !isProblem(err, proto.CodeFixed) {
			t.Errorf("ask: %v", err)
		}
		if err := talk.Set(settings("correct horse"), nil); !isProblem(err, proto.CodeFixed) {
			t.Errorf("set: %v", err)
		}
		return talk.Set(proto.SetupSettings{}, nil)
	}
	if o := pair(t, d, c, nil, nil); o.clientErr != nil || o.deviceErr != nil {
		t.Errorf("client %v, device %v", o.clientErr, o.deviceErr)
	}
}

func TestAClientThatSetsNothingIsNotPaired(t *testing.T) {
	c := newClient(t)
	c.Setup = func(context.Context, *Talk) error { return nil }
	if o := pair(t, newDevice(t, "device identity"), c, nil, nil); !errors.Is(o.clientErr, ErrAborted) || !errors.Is(o.deviceErr, ErrAborted) {
		t.Errorf("client %v, device %v", o.clientErr, o.deviceErr)
	}
}

// Settings that can't be meant are tried by nobody, whoever made them.
func TestUnusableSettingsAreNotTried(t *testing.T) {
	wrong := settings("short")
	d, c := newDevice(t, "device identity"), newClient(t)
	f := &fakeSetup{}
	d.Setup = f
	c.Setup = func(_ context.Context, talk *Talk) error {
		if err := talk.Set(wrong, nil); !isProblem(err, proto.CodeWiFiPassword) {
			t.Errorf("the client: %v", err)
		}
		if err := talk.ch.write(message{Type: messageSettings, Settings: &wrong}); err != nil {
			return err
		}
		m, err := talk.ch.read(messageProblem)
		if err != nil || m.Code != proto.CodeWiFiPassword || !strings.HasSuffix(m.Sentence, ".") {
			t.Errorf("the device: %+v, %v", m, err)
		}
		return talk.Set(settings("correct horse"), nil)
	}
	if o := pair(t, d, c, nil, nil); o.clientErr != nil || len(f.set) != 1 {
		t.Errorf("%v, %+v", o.clientErr, f.set)
	}
}

// A client hears of a device that works at least every ProgressEvery.
func TestProgressIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := newDevice(t, "device identity"), newClient(t)
		d.Setup = &fakeSetup{while: func(_ context.Context, progress func(proto.SetupStep)) error {
			progress(proto.StepAddress)
			time.Sleep(3*ProgressEvery + time.Second)
			return nil
		}}
		n := 0
		c.Setup = func(_ context.Context, talk *Talk) error {
			return talk.Set(settings("correct horse"), func(s proto.SetupStep) {
				if s == proto.StepAddress {
					n++
				}
			})
		}
		if o := pair(t, d, c, nil, nil); o.clientErr != nil || n != 4 {
			t.Errorf("%v, told %d times", o.clientErr, n)
		}
	})
}

// When the client goes away, what is being tried for it ends.
func TestTryingEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deviceEnd, clientEnd := net.Pipe()
		d, c := newDevice(t, "device identity"), newClient(t)
		d.Setup = &fakeSetup{while: func(ctx context.Context, progress func(proto.SetupStep)) error {
			progress(proto.StepAddress)
			<-ctx.Done()
			return ctx.Err()
		}}
		c.Setup = func(_ context.Context, talk *Talk) error {
			return talk.Set(settings("correct horse"), func(proto.SetupStep) { _ = clientEnd.Close() })
		}
		done := make(chan error, 1)
		go func() {
			_, err := Respond(t.Context(), NewFramed(deviceEnd), d)
			done <- err
		}()
		if _, err := Initiate(t.Context(), NewFramed(clientEnd), c); !errors.Is(err, ErrAborted) {
			t.Errorf("client: %v", err)
		}
		if err := <-done; !errors.Is(err, ErrAborted) {
			t.Errorf("device: %v", err)
		}
	})
}

// A device by hand that breaks the rules of the conversation.
func TestClientRefusesOddConversation(t *testing.T) {
	ask := func(talk *Talk) error { _, err := talk.Ask(proto.SetupDoNetworks); return err }
	set := func(talk *Talk) error { return talk.Set(settings("correct horse"), nil) }
	for name, tc := range map[string]struct {
		do func(*Talk) error
		m  message
	}{
		"reply without content": {ask, message{Type: messageReply}},
		"receipt to a question": {ask, message{Type: messageReceipt}},
		"too many networks":     {ask, message{Type: messageReply, Reply: &proto.SetupReply{Networks: make([]proto.Network, proto.MaxNetworks+1)}}},
		"problem without code":  {ask, message{Type: messageProblem}},
		"problem ok":            {set, message{Type: messageProblem, Code: proto.CodeOK}},
		"odd step":              {set, message{Type: messageProgress, Step: "Step 1"}},
		"reply to settings":     {set, message{Type: messageReply, Reply: &heard}},
	} {
		t.Run(name, func(t *testing.T) {
			_, own := (&plain{mustJSON(t, tc.m)}).sessions(t)
			if err := tc.do(&Talk{ch: own, p: &Paired{}}); !errors.Is(err, ErrProtocol) {
				t.Errorf("%v, want ErrProtocol", err)
			}
		})
	}
}
