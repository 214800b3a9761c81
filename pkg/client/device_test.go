package client

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/camd-project/camd/internal/broker"
	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

var quiet = slog.New(slog.DiscardHandler)

// device is a small camera for tests of the protocol: it pairs, checks nonce and
// sequence, and answers as the test says.
type device struct {
	t        *testing.T
	id       proto.DeviceID
	identity tls.Certificate
	hhSig    *ecdsa.PrivateKey
	hhEnc    *ecdh.PrivateKey
	logKey   ed25519.PrivateKey
	trio     []byte
	label    pairing.Label
	ca       *pki.CA
	broker   *broker.Broker
	mqtt     mqtt.Client
	dir      string // of the client that paired
	home     *home.Home

	mu       sync.Mutex
	gone     bool // the test is over: what still comes finds no log
	client   envelope.PublicKey
	nonce    string
	highest  uint64
	requests []proto.Request // as they came, stale ones included
	mute     int             // so many requests go unanswered
	deaf     int             // so many answers are lost
	log      *accesslog.Log
	done     map[string]outcome // by jti
	noticed  uint64             // index of the last notice
	tamper   func(proto.Request, *proto.Answer)
	alwaysNo bool   // every nonce is stale
	epoch    uint64 // of answers
	signals  uint64
	handle   func(proto.Request) (proto.Code, any)
}

// outcome is what a request came to.
type outcome struct {
	code  proto.Code
	body  any
	entry *uint64
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newDevice(t *testing.T) *device {
	d := &device{t: t, id: proto.NewDeviceID(), nonce: randomID(), epoch: 1, ca: must(pki.NewCA("test")), done: map[string]outcome{}}
	d.identity = must(d.ca.Device(d.id, nil))
	d.hhSig = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	d.hhEnc = must(ecdh.P256().GenerateKey(rand.Reader))
	logKey, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.logKey = private
	d.log = d.newLog("Anna")
	identity := d.identity.PrivateKey.(*ecdsa.PrivateKey)
	d.trio = must(envelope.SignTrio(envelope.Trio{Device: d.id, Epoch: 1, Sig: &d.hhSig.PublicKey, Enc: d.hhEnc.PublicKey(), Log: logKey}, identity))
	d.label = must(pairing.NewLabel(d.id, pairing.NewSecret(), identity.Public()))
	d.broker = must(broker.Start(broker.Config{Address: "127.0.0.1:0",
		TLS: &tls.Config{Certificates: []tls.Certificate{must(d.ca.Server("127.0.0.1"))}, ClientCAs: d.ca.Pool()}}))
	t.Cleanup(func() {
		if err := d.broker.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return d
}

// newLog makes an access log of the device that begins with the pairing of a member.
func (d *device) newLog(member string) *accesslog.Log {
	l := must(accesslog.Open(d.store(), 1, accesslog.Origin(d.id, 1), d.logKey))
	must(l.Append(accesslog.Entry{Kind: accesslog.KindEpoch, Reason: "first start"}, accesslog.Entry{Kind: accesslog.KindPair, Name: member}))
	return l
}

func (d *device) store() *store.DB {
	db := must(store.Create(store.Config{Path: filepath.Join(d.t.TempDir(), "log.db")}, func(*store.Tx) error { return nil }))
	d.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return db
}

// connect brings the device to its broker.
func (d *device) connect() {
	o := mqtt.NewClientOptions().AddBroker("mqtts://"+d.broker.Address()).SetClientID(randomID()).
		SetTLSConfig(&tls.Config{RootCAs: d.ca.Pool(), Certificates: []tls.Certificate{d.identity}}).
		SetBinaryWill(proto.TopicStatus(d.id), []byte(`{"online":false}`), 1, true)
	d.mqtt = mqtt.NewClient(o)
	d.wait(d.mqtt.Connect())
	d.wait(d.mqtt.Subscribe(proto.TopicInFilter(d.id), 1, func(_ mqtt.Client, m mqtt.Message) { d.receive(m.Payload()) }))
	d.say(true)
	d.t.Cleanup(func() {
		d.mqtt.Disconnect(0)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.gone = true
	})
}

func (d *device) say(online bool) {
	d.wait(d.mqtt.Publish(proto.TopicStatus(d.id), 1, true, must(json.Marshal(proto.Status{Online: online, Version: "test"}))))
}

func (d *device) wait(t mqtt.Token) {
	if t.Wait() && t.Error() != nil {
		d.t.Error(t.Error())
	}
}

// pair answers one pairing over conn.
func (d *device) pair(conn net.Conn) {
	_, err := pairing.Respond(context.Background(), pairing.NewFramed(conn), pairing.Device{ID: d.id, Secret: d.label.Secret,
		Identity: d.identity.PrivateKey.(*ecdsa.PrivateKey), Chain: d.identity.Certificate, Trio: d.trio, Epoch: 1, Household: d.hhSig,
		Enroll: func(_ context.Context, key envelope.PublicKey, _ []byte) (pairing.Receipt, error) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.client = key
			return pairing.Receipt{Role: proto.RoleOwner, Name: "Anna",
				Broker: envelope.BrokerLogin{URL: "mqtts://" + d.broker.Address(), CA: string(d.ca.PEM())}}, nil
		}})
	if err != nil {
		d.t.Errorf("Respond: %v", err)
	}
}

// login makes the client's broker certificate.
func (d *device) login(id proto.ClientID) home.Broker {
	cert := must(d.ca.Viewer(id))
	return home.Broker{Certificate: string(pki.CertificatePEM(cert)), Key: string(must(pki.KeyPEM(cert)))}
}

func (d *device) receive(msg []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone {
		return
	}
	r, err := envelope.OpenRequest(msg, d.hhEnc, func(proto.ClientID) (*ecdsa.PublicKey, bool) { return d.client.Sig, true })
	if err != nil || r.Audience != d.id || r.Epoch != 1 {
		d.t.Errorf("request %+v: %v", r, err)
		return
	}
	d.requests = append(d.requests, r)
	if d.mute > 0 {
		d.mute--
		return
	}
	code, body := proto.CodeOK, any(nil)
	switch {
	case r.Op == proto.OpHello:
	case r.Nonce != d.nonce || r.Sequence <= d.highest || d.alwaysNo:
		code = proto.CodeStale
	default:
		d.highest = r.Sequence
		code, body = d.carryOut(r)
	}
	d.answer(r, code, body, d.hhSig)
}

// carryOut does what was asked for once, and enters it into the log.
func (d *device) carryOut(r proto.Request) (proto.Code, any) {
	if o, ok := d.done[r.ID]; ok {
		return o.code, o.body
	}
	o := outcome{code: proto.CodeOK}
	if d.handle != nil {
		o.code, o.body = d.handle(r)
	}
	if e, ok := entryOf(r); ok && o.code == proto.CodeOK {
		o.entry = new(must(d.log.Append(e)))
	}
	d.done[r.ID] = o
	return o.code, o.body
}

// entryOf is what a request makes in the log.
func entryOf(r proto.Request) (accesslog.Entry, bool) {
	kind, ok := entered[r.Op]
	e := accesslog.Entry{Kind: kind, Client: r.Issuer, Name: "Anna", Session: r.Session, Network: accesslog.NetMQTT}
	switch kind { // whose bodies name no scopes
	case accesslog.KindSnapshot:
		e.Op, e.Scopes = r.Op, []proto.Scope{proto.ScopeSnapshot}
	case accesslog.KindTalk:
		e.Op, e.Scopes = r.Op, []proto.Scope{proto.ScopeTalk}
	}
	var body struct {
		proto.Grant
		proto.Revoke
		proto.Privacy
	}
	if json.Unmarshal(r.Body, &body) != nil {
		return e, ok
	}
	switch kind {
	case accesslog.KindLive:
		e.Op, e.Scopes = r.Op, body.Scopes
	case accesslog.KindSettings:
		if r.Op == proto.OpWiFi {
			var q proto.WiFiRequest
			ok = json.Unmarshal(r.Body, &q) == nil && q.Do == proto.WiFiDoJoin
			e.Set = []string{proto.SetUpWiFi}
			break
		}
		var change proto.SettingsChange
		if json.Unmarshal(r.Body, &change) == nil {
			e.Set = chosen(change)
		}
	case accesslog.KindUpdate:
		var q proto.UpdateRequest
		ok = json.Unmarshal(r.Body, &q) == nil && updateStep(r) != ""
		e.Op, e.Step, e.Until = r.Op, updateStep(r), q.Until
	case accesslog.KindCertificate:
		var q proto.CertificateRequest
		ok = json.Unmarshal(r.Body, &q) == nil && q.Do == proto.CertificateDoSet
		e.Op, e.Until = r.Op, until(q)
	case accesslog.KindGrant:
		key := must(envelope.VerifyKeyCard([]byte(body.Card)))
		e.Subject, e.SubjectName, e.Role, e.Scopes = key.ClientID(), body.Name, body.Role, body.Scopes
		e.Weekly, e.From, e.Until = body.Weekly, body.From, body.Until
	case accesslog.KindRevoke:
		e.Subject, e.Keep = body.Client, body.KeepGuests
	case accesslog.KindPrivacy:
		e.Reason = map[bool]string{true: "on", false: "off"}[body.On]
	}
	return e, ok
}

func (d *device) answer(r proto.Request, code proto.Code, body any, by *ecdsa.PrivateKey) {
	a := proto.Answer{Issuer: d.id, Audience: r.Issuer, Epoch: d.epoch, Re: r.ID, Code: code, Nonce: d.nonce, Sequence: d.highest, Noticed: d.noticed}
	if body != nil {
		a.Body = must(json.Marshal(body))
	}
	if r.Op != proto.OpHello && code != proto.CodeStale {
		cp, proof, _, err := d.log.Prove(r.Checkpoint, d.done[r.ID].entry)
		if err != nil && !errors.Is(err, accesslog.ErrRolledBack) && !errors.Is(err, accesslog.ErrCheckpoint) && !errors.Is(err, accesslog.ErrForgotten) {
			d.t.Error(err)
		}
		a.Checkpoint, a.Proof = cp.Note, must(json.Marshal(proof))
	}
	if d.tamper != nil {
		d.tamper(r, &a)
	}
	if d.deaf > 0 {
		d.deaf--
		return
	}
	d.mqtt.Publish(proto.TopicOut(d.id, r.Issuer), 1, false, must(envelope.SealAnswer(a, by, d.client.Enc)))
}

// signal sends a signal with the next index after skipping some.
func (d *device) signal(sid string, kind proto.SignalKind, body any, skip uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signals += 1 + skip
	s := proto.Signal{Issuer: d.id, Audience: d.client.ClientID(), Epoch: 1, Session: sid, Index: d.signals, Kind: kind, Body: must(json.Marshal(body))}
	d.mqtt.Publish(proto.TopicOut(d.id, d.client.ClientID()), 1, false, must(envelope.SealSignal(s, d.hhSig, d.client.Enc)))
}

// notice enters something into the log and tells the client of it, unless it is lost.
func (d *device) notice(e accesslog.Entry, lost bool) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	index := must(d.log.Append(e))
	n := proto.Notice{Issuer: d.id, Audience: d.client.ClientID(), Epoch: 1, Index: index, Previous: d.noticed,
		Entry: string(must(d.log.Read(index, 1))[0].Text)}
	d.noticed = index
	if !lost {
		d.mqtt.Publish(proto.TopicOut(d.id, d.client.ClientID()), 1, false, must(envelope.SealNotice(n, d.hhSig, d.client.Enc)))
	}
	return index
}

// paired pairs a fresh home with a fresh device and leaves the device offline.
func paired(t *testing.T) (*device, *home.Home, *home.Keys, home.Record) {
	t.Helper()
	d := newDevice(t)
	d.dir = t.TempDir()
	d.home = must(home.Open(d.dir))
	keys := must(d.home.Keys())
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); d.pair(theirs) }()
	r, err := Pair(t.Context(), pairing.NewFramed(ours), d.label, keys, d.login(keys.ID()), nil)
	<-done
	if err != nil {
		t.Fatalf("Pair: %v", err)
	}
	if err := d.home.Save(r); err != nil {
		t.Fatalf("Save: %v", err)
	}
	return d, d.home, keys, r
}

// file returns the name of a file that the client keeps of the device.
func (d *device) file(ext string) string {
	return filepath.Join(d.dir, "cameras", string(d.id)+ext)
}

// dialled is a device that is online and a client that is connected to it.
func dialled(t *testing.T) (*device, *Camera) {
	t.Helper()
	d, h, keys, r := paired(t)
	d.connect()
	c, err := Dial(t.Context(), h, keys, r, quiet)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(c.Close)
	return d, c
}
