package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/media"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/supervise"
)

// shutdownTime is how long all parts may take to end; whatever hangs longer is
// a fault, and its goroutines are its report.
const shutdownTime = 10 * time.Second

type runCmd struct{ configFlag }

// errEpochEnded ends the daemon's parts so that they begin anew, in another epoch.
var errEpochEnded = errors.New("the epoch has ended")

// epochEnd is the part that ends all others so that they begin anew.
type epochEnd chan struct{}

func (epochEnd) String() string { return "epoch" }

// Run waits for the end of the epoch, which is its error.
func (e epochEnd) Run(ctx context.Context, ready func()) error {
	ready()
	select {
	case <-ctx.Done():
		return nil
	case <-e:
		return errEpochEnded
	}
}

// now ends the epoch.
func (e epochEnd) now() {
	select {
	case e <- struct{}{}:
	default: // it ends already
	}
}

// Run runs the daemon until a signal comes or a required part fails. After an eviction
// or a reset it begins anew.
func (r runCmd) Run(env *environment) error {
	cfg, err := r.load()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	defer context.AfterFunc(env.ctx, func() { abandon(env.log, done) })()
	for {
		if err := serve(env, cfg); !errors.Is(err, errEpochEnded) {
			return err
		}
		env.log.Warn("the epoch has ended: beginning anew")
	}
}

// serve runs everything once.
func serve(env *environment, cfg config.Config) error {
	d, err := wire(env.ctx, cfg, env.log)
	if err != nil {
		return err
	}
	err = supervise.Run(env.ctx, env.log, func() { env.log.Info("camd serves", "device", string(d.device), "version", version) }, d.parts...)
	return errors.Join(err, d.authority.Close())
}

// abandon ends a process whose parts do not end by themselves.
func abandon(log *slog.Logger, done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(shutdownTime):
		die(log, "camd did not stop in time")
	}
}

// die ends the process at once: what hangs is a fault, and its goroutines are its report.
func die(log *slog.Logger, reason string) {
	log.Error("camd ends itself", "reason", reason)
	_, _ = os.Stderr.Write(stacks()) // the process ends either way
	os.Exit(1)
}

// stacks shows where every goroutine stands.
func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

// daemon is everything joined: what Run keeps running, in the order of starting.
type daemon struct {
	device    proto.DeviceID
	authority *auth.Authority
	parts     []supervise.Part
}

// wire joins the packages. It is the only place that knows more than one service.
func wire(ctx context.Context, cfg config.Config, log *slog.Logger) (*daemon, error) {
	board := health.NewBoard(log)
	broker, err := brokerFor(cfg.Link)
	if err != nil {
		return nil, err
	}
	check, err := storeCheck()
	if err != nil {
		return nil, err
	}
	if err := cfg.Household.Check(); err != nil {
		return nil, inTable("household", err)
	}
	authority, err := auth.Open(ctx, authConfig(cfg, log, broker, check), log, board)
	if err != nil {
		return nil, err
	}
	d, err := join(cfg, log, board, authority)
	if err != nil {
		return nil, errors.Join(err, authority.Close())
	}
	return d, nil
}

func authConfig(cfg config.Config, log *slog.Logger, broker pairing.Broker, check func(context.Context, string) error) auth.Config {
	c := auth.Config{Abort: func(reason string) { die(log, reason) }, State: cfg.Device.State, Name: cfg.Device.Name, Broker: broker, Check: check, Household: cfg.Household, Clock: kernelClock}
	if cfg.Household.Clock == "battery" {
		c.Clock = func() (time.Time, bool) { return time.Now(), true }
	}
	if unix, err := strconv.ParseInt(built, 10, 64); err == nil {
		c.Built = time.Unix(unix, 0)
	}
	return c
}

// senses closes the camera's eye and ear for privacy mode.
type senses struct {
	camera     *capture.Camera
	microphone *audio.Microphone
	sessions   *live.Server
}

// Hold returns when both devices are closed, and nothing of what they gave is kept.
func (s senses) Hold(on bool) {
	s.camera.Hold(on)
	s.microphone.Hold(on)
	if on {
		s.sessions.Forget()
	}
}

func join(cfg config.Config, log *slog.Logger, board *health.Board, authority *auth.Authority) (*daemon, error) {
	identity := authority.Identity()
	video, sound := media.NewFeed[*media.AccessUnit](), media.NewFeed[*media.AudioFrame]()
	camera, err := capture.New(cfg.Capture, log, board, video)
	if err != nil {
		return nil, inTable("capture", err)
	}
	microphone, err := audio.New(cfg.Audio, log, board, sound)
	if err != nil {
		return nil, inTable("audio", err)
	}
	indicator, err := panel.NewIndicator(cfg.Panel, log, board)
	if err != nil {
		return nil, inTable("panel", err)
	}
	sessions, err := live.New(cfg.Live, log, board, live.Deps{Video: video, Audio: sound, Camera: camera, Indicator: indicator})
	if err != nil {
		return nil, inTable("live", err)
	}
	cert, err := operational(cfg, identity)
	if err != nil {
		return nil, err
	}
	outward, err := outwardLink(cfg, log, board, authority, cert)
	if err != nil {
		return nil, err
	}
	authority.Govern(senses{camera, microphone, sessions})
	gate := authority.NewGate(outward)
	outward.Deliver(gate)
	s := &service{started: time.Now(), identity: identity, board: board, sessions: sessions, authority: authority}
	s.register(gate)
	end := make(epochEnd, 1)
	buttons, err := panel.New(cfg.Panel, log, board, actions(authority, end))
	if err != nil {
		return nil, inTable("panel", err)
	}
	light, err := panel.NewStatus(cfg.Panel, log, board, s.scene)
	if err != nil {
		return nil, inTable("panel", err)
	}
	return &daemon{
		device: identity.DeviceID(), authority: authority,
		parts: []supervise.Part{
			{Component: gate, Required: true},
			{Component: sessions, Required: true},
			{Component: camera},
			{Component: microphone},
			{Component: outward},
			{Component: buttons},
			{Component: indicator},
			{Component: light},
			{Component: &admin{path: cfg.Device.Socket, device: identity.DeviceID(), log: log.With("component", "admin"), household: authority, status: s.status, endEpoch: end.now}},
			{Component: end, Required: true},
		},
	}, nil
}

// actions is what the buttons do.
func actions(authority *auth.Authority, end epochEnd) panel.Actions {
	over := func(how func() error) func(context.Context) error {
		return func(context.Context) error {
			err := how()
			if err == nil {
				end.now()
			}
			return err
		}
	}
	return panel.Actions{
		OpenWindow:    authority.OpenWindow,
		TogglePrivacy: func(context.Context) (bool, error) { return authority.TogglePrivacy() },
		Evict:         over(authority.Evict),
		Reset:         over(authority.Reset),
	}
}

func outwardLink(cfg config.Config, log *slog.Logger, board *health.Board, authority *auth.Authority, cert tls.Certificate) (*link.Link, error) {
	statement, err := authority.Statement()
	if err != nil {
		return nil, err
	}
	birth := proto.Status{Online: true, Version: version, Epoch: statement}
	l, err := link.New(cfg.Link, log, board, authority.Identity().DeviceID(), birth, cert)
	if err != nil {
		return nil, inTable("link", err)
	}
	return l, nil
}

// inTable makes what a package says of its configuration a usage error.
func inTable(table string, err error) error {
	return &codedError{2, fmt.Errorf("configuration, table [%s]: %w", table, err)}
}

// brokerFor is what a client learns about the broker when it pairs.
func brokerFor(cfg link.Config) (pairing.Broker, error) {
	b := pairing.Broker{URL: cfg.Broker}
	if cfg.CA == "" {
		return b, nil
	}
	ca, err := os.ReadFile(cfg.CA)
	if err != nil {
		return b, inTable("link", fmt.Errorf("ca: %w", err))
	}
	b.CA = string(ca)
	return b, nil
}

// storeCheck lets a child of the same program judge a database.
func storeCheck() (func(context.Context, string) error, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find camd's own program: %w", err)
	}
	return store.ChildCheck(exe, "store-check"), nil
}

func certificatePath(cfg config.Config) string {
	if cfg.Link.Certificate != "" {
		return cfg.Link.Certificate
	}
	return filepath.Join(cfg.Device.State, "identity", "operational.crt")
}

// operational joins the certificate that the operator's CA made to the key that
// only the identity holds.
func operational(cfg config.Config, identity auth.Identity) (tls.Certificate, error) {
	path := certificatePath(cfg)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("no certificate for the broker at %s: have %s signed by the broker's operator and put the result there",
			path, filepath.Join(cfg.Device.State, "identity", "device.csr"))
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the certificate for the broker: %w", err)
	}
	cert := tls.Certificate{PrivateKey: identity.Signer()}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			cert.Certificate = append(cert.Certificate, block.Bytes)
		}
	}
	if len(cert.Certificate) == 0 {
		return tls.Certificate{}, fmt.Errorf("%s holds no PEM certificate; put there what the operator signed", path)
	}
	return cert, nil
}

// service holds the handlers: thin joints between the gate and the parts.
type service struct {
	started   time.Time
	identity  auth.Identity
	board     *health.Board
	sessions  *live.Server
	authority *auth.Authority
}

func (s *service) register(g *auth.Gate) {
	g.Handle(proto.OpStatus, auth.Rule{}, func(context.Context, auth.Request) (auth.Result, error) {
		return auth.Result{Body: s.status()}, nil
	})
	g.Handle(proto.OpLive, auth.Rule{Scopes: liveScopes, Logged: true}, s.live)
	g.Handle(proto.OpCandidate, auth.Rule{Rested: true}, func(_ context.Context, r auth.Request) (auth.Result, error) {
		var c proto.Candidates
		if envelope.Decode(r.Body, &c) != nil {
			return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
		}
		return auth.Result{}, s.sessions.AddCandidates(r.Caller.Client, r.Session, c)
	})
	g.Handle(proto.OpBye, auth.Rule{Rested: true}, func(_ context.Context, r auth.Request) (auth.Result, error) {
		return auth.Result{}, s.sessions.Bye(r.Caller.Client, r.Session)
	})
}

// liveScopes tells which rights a live request needs. docs/protocol.md 7.1.
func liveScopes(body json.RawMessage) ([]proto.Scope, error) {
	var q proto.LiveRequest
	if err := envelope.Decode(body, &q); err != nil {
		return nil, fmt.Errorf("read live request: %w", err)
	}
	for i, scope := range q.Scopes {
		if scope != proto.ScopeView && scope != proto.ScopeListen || slices.Contains(q.Scopes[:i], scope) {
			return nil, fmt.Errorf("a live session carries view and listen, not %.40q", q.Scopes)
		}
	}
	if len(q.Scopes) == 0 {
		return nil, errors.New("a live session needs view, listen or both")
	}
	return q.Scopes, nil
}

// live starts a session. The gate has decided and logged when it is called.
func (s *service) live(ctx context.Context, r auth.Request) (auth.Result, error) {
	var q proto.LiveRequest
	if err := envelope.Decode(r.Body, &q); err != nil {
		return auth.Result{}, proto.Refuse(proto.CodeBadRequest)
	}
	session, sdp, err := s.sessions.Start(ctx, live.Offer{
		Client: r.Caller.Client, Session: r.Session, SDP: q.SDP, Signal: r.Signal,
		View: slices.Contains(q.Scopes, proto.ScopeView), Listen: slices.Contains(q.Scopes, proto.ScopeListen),
	})
	if err != nil {
		return auth.Result{}, err
	}
	return auth.Result{Body: proto.LiveAnswer{SDP: sdp, Scopes: q.Scopes}, Running: session}, nil
}

// status is what members and the local socket see.
func (s *service) status() proto.StatusAnswer {
	a := proto.StatusAnswer{
		Device: s.identity.DeviceID(), Name: s.authority.Settings().Name, Version: version, Identity: s.identity.Class(),
		Uptime: int64(time.Since(s.started).Seconds()), Conditions: []proto.Condition{}, Sessions: []proto.Viewer{},
	}
	for _, c := range s.board.Snapshot() {
		a.Conditions = append(a.Conditions, proto.Condition{Name: c.Name, State: string(c.State), Reason: c.Reason, Since: c.Since.Unix()})
	}
	for _, v := range s.sessions.Viewers() {
		a.Sessions = append(a.Sessions, proto.Viewer{Client: v.Client, Name: s.authority.MemberName(v.Client), Scopes: scopes(v), Since: v.Since.Unix()})
	}
	return a
}

func scopes(v live.Viewer) (l []proto.Scope) {
	if v.View {
		l = append(l, proto.ScopeView)
	}
	if v.Listen {
		l = append(l, proto.ScopeListen)
	}
	return l
}
