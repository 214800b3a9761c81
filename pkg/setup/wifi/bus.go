package wifi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/foreign"
)

const (
	service    = "fi.w1.wpa_supplicant1"
	object     = dbus.ObjectPath("/fi/w1/wpa_supplicant1")
	interfaze  = service + ".Interface"
	bssType    = service + ".BSS"
	networkOf  = service + ".Network"
	properties = "org.freedesktop.DBus.Properties"
	bus        = "org.freedesktop.DBus"
)

// callTime bounds a call. wpa_supplicant answers each at once.
const callTime = 10 * time.Second

// errAway means that wpa_supplicant does not run, or that camd may not see it.
var errAway = errors.New("wpa_supplicant, which works it, does not run: look at the unit wpa_supplicant@.service of the interface")

// session is a connection to one running wpa_supplicant.
type session struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
	owner   string // the connection that has wpa_supplicant's name
	cancel  context.CancelFunc
}

// dial connects to the bus and listens to wpa_supplicant, which it never starts. The session
// outlives ctx, because it may be needed to go back.
func dial(ctx context.Context, address string) (*session, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	within, done := context.WithTimeout(ctx, callTime)
	defer done()
	defer context.AfterFunc(within, cancel)()
	s, err := connect(within, life, address)
	if err != nil {
		cancel()
		return nil, err
	}
	s.cancel = cancel
	return s, nil
}

func connect(ctx, life context.Context, address string) (*session, error) {
	options := []dbus.ConnOption{dbus.WithContext(life), dbus.WithSignalHandler(dbus.NewSequentialSignalHandler())}
	open := func() (*dbus.Conn, error) { return dbus.ConnectSystemBus(options...) }
	if address != "" {
		open = func() (*dbus.Conn, error) { return dbus.Connect(address, options...) }
	}
	conn, err := open()
	if err != nil {
		return nil, fmt.Errorf("the system bus, over which camd asks for it, can't be reached: %s", foreign.Line(err.Error()))
	}
	s := &session{conn: conn, signals: make(chan *dbus.Signal, 64)} // the handler keeps the rest, in order
	conn.Signal(s.signals)
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, interfaze)},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(service)},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(interfaze), dbus.WithMatchMember("ScanDone")},
		{dbus.WithMatchSender(bus), dbus.WithMatchInterface(bus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)},
	} {
		if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
			return nil, errors.Join(explain(err), conn.Close())
		}
	}
	// Without an owner it is away; the signal above reports when that changes.
	_ = conn.BusObject().CallWithContext(ctx, bus+".GetNameOwner", 0, service).Store(&s.owner)
	return s, nil
}

func (s *session) close() {
	_ = s.conn.Close()
	s.cancel()
}

// call calls a method of an object of wpa_supplicant and stores the result.
func (s *session) call(ctx context.Context, at dbus.ObjectPath, method string, args []any, into ...any) error {
	if s.owner == "" {
		return errAway
	}
	within, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c := s.conn.Object(s.owner, at).CallWithContext(within, method, dbus.FlagNoAutoStart, args...)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case within.Err() != nil:
		return fmt.Errorf("wpa_supplicant does not answer within %d seconds: look at the unit wpa_supplicant@.service of the interface", callTime/time.Second)
	case c.Err != nil:
		return explain(c.Err)
	}
	if err := c.Store(into...); err != nil {
		return fmt.Errorf("wpa_supplicant answered %s in a way that camd does not know: %s", method[strings.LastIndexByte(method, '.')+1:], foreign.Line(err.Error()))
	}
	return nil
}

// all reads every property of an object.
func (s *session) all(ctx context.Context, at dbus.ObjectPath, of string) (map[string]dbus.Variant, error) {
	var p map[string]dbus.Variant
	err := s.call(ctx, at, properties+".GetAll", []any{of}, &p)
	return p, err
}

// property reads one property of an object. If it has another type, the result is zero.
func property[T any](ctx context.Context, s *session, at dbus.ObjectPath, of, name string) (T, error) {
	var v dbus.Variant
	err := s.call(ctx, at, properties+".Get", []any{of, name}, &v)
	t, _ := v.Value().(T)
	return t, err
}

func (s *session) set(ctx context.Context, at dbus.ObjectPath, of, name string, v any) error {
	return s.call(ctx, at, properties+".Set", []any{of, name, dbus.MakeVariant(v)})
}

// card is a Wi-Fi interface of wpa_supplicant.
type card struct {
	name string
	at   dbus.ObjectPath
}

// card returns the first interface whose name is among names.
func (s *session) card(ctx context.Context, names []string) (card, error) {
	paths, err := property[[]dbus.ObjectPath](ctx, s, object, service, "Interfaces")
	if err != nil {
		return card{}, err
	}
	var l []card
	for _, at := range paths {
		name, err := property[string](ctx, s, at, interfaze, "Ifname")
		if err == nil && slices.Contains(names, name) {
			l = append(l, card{name, at})
		}
	}
	if len(l) == 0 {
		return card{}, errAway
	}
	return slices.MinFunc(l, func(a, b card) int { return strings.Compare(a.name, b.name) }), nil
}

// changes returns the changed properties of the interface in a signal; false: it is about
// something else. Anybody on the bus may send a signal, but only wpa_supplicant under the name
// of its connection.
func (s *session) changes(of card, m *dbus.Signal) (map[string]dbus.Variant, bool) {
	if m.Sender != s.owner || m.Path != of.at || m.Name != properties+".PropertiesChanged" || len(m.Body) < 2 || m.Body[0] != interfaze {
		return nil, false
	}
	p, ok := m.Body[1].(map[string]dbus.Variant)
	return p, ok
}

// ownership notes who owns wpa_supplicant's name, and reports whether that changed.
func (s *session) ownership(m *dbus.Signal) bool {
	if m.Sender != bus || m.Name != bus+".NameOwnerChanged" || len(m.Body) != 3 || m.Body[0] != service {
		return false
	}
	owner, ok := m.Body[2].(string)
	if ok {
		s.owner = owner
	}
	return ok
}

// explain returns a sentence for a D-Bus error.
func explain(err error) error {
	var e dbus.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("wpa_supplicant can't be reached: %s", foreign.Line(err.Error()))
	}
	switch {
	case strings.HasSuffix(e.Name, ".AccessDenied"):
		return errors.New("camd may not call wpa_supplicant: the D-Bus policy must let its user do so")
	case strings.HasSuffix(e.Name, ".ServiceUnknown"), strings.HasSuffix(e.Name, ".NameHasNoOwner"):
		return errAway
	}
	return saidError{e.Name, foreign.Line(e.Error())}
}

// saidError is an error of wpa_supplicant or of the bus.
type saidError struct{ name, said string }

func (e saidError) Error() string { return "wpa_supplicant says: " + e.said }
