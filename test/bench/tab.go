package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/web"
)

// open starts a browser with spy in it, and opens a page.
func (b *bench) open(kind, address string, flags ...chromedp.ExecAllocatorOption) (*tab, error) {
	ctx, stop, err := chromium.Start(b.ctx, spy, flags...)
	if err != nil {
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	t := &tab{kind: kind, ctx: ctx, close: stop}
	if err := chromium.Load(ctx, address); err != nil {
		t.close()
		return nil, fmt.Errorf("%s's page: %w", kind, err)
	}
	return t, nil
}

// eval returns what an expression, a promise too, comes to.
func eval[T any](t *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	v, err := chromium.Evaluate[T](ctx, expression)
	if err != nil {
		err = fmt.Errorf("%s's page: %s: %w", t.kind, expression, err)
	}
	return v, err
}

// await waits until a condition holds in the page.
func (t *tab) await(condition string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	if err := chromium.Await(ctx, condition); err != nil {
		return fmt.Errorf("%s's page: %s: %w", t.kind, condition, err)
	}
	return nil
}

// plainPage opens the minimal page of a plain sender.
func (b *bench) plainPage() (*tab, error) {
	sender, err := b.sender("plain")
	if err != nil {
		return nil, err
	}
	t, err := b.open("plain", sender.url+"/page")
	if err != nil {
		sender.stop()
		return nil, err
	}
	t.closes(sender.stop)
	t.ready, t.leave = `true`, `(pc.close(), document.querySelector('video').srcObject = null, true)`
	handed := func() (h handovers, err error) { // the sender always notes them
		var text bytes.Buffer
		if err := sender.fetch(http.MethodGet, "/handovers", &text); err != nil {
			return nil, err
		}
		return h, json.Unmarshal(text.Bytes(), &h)
	}
	t.record = func() (func() (handovers, error), error) { return handed, nil }
	return t, nil
}

// ownersPage opens the owner's page of a whole camd, and lets the page's own key in.
func (b *bench) ownersPage() (*tab, error) {
	clip, err := filepath.Abs(b.clip)
	if err != nil {
		return nil, err
	}
	h, err := b.household(fmt.Sprintf("source = \"file\"\nfile = %q\nrate = %d\n", clip, clipRate))
	if err != nil {
		return nil, err
	}
	t, err := b.visit(h)
	if err != nil {
		h.close()
		return nil, err
	}
	t.closes(h.close)
	return t, nil
}

// visit serves the owner's page and opens it.
func (b *bench) visit(h *household) (*tab, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host := l.Addr().String()
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler(web.Files, web.Config{Broker: &web.BrokerConfig{URL: "ws://" + host + "/broker"}}))
	mux.Handle("GET /broker", h.broker)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(l) }()
	t, err := b.open("camd", "http://"+host+"/#/key")
	if err != nil {
		_ = server.Close()
		return nil, err
	}
	t.closes(func() { _ = server.Close() })
	if err := h.letIn(t, "http://"+host+"/"); err != nil {
		t.close()
		return nil, err
	}
	t.ready = `document.querySelector('camd-card .chip')?.dataset.state === 'ready'`
	t.leave = `(location.hash = '#/cameras', true)`
	t.record = func() (func() (handovers, error), error) { return h.witness(b) }
	return t, nil
}

// letIn makes the page's key a member, as an owner does who is shown it.
func (h *household) letIn(t *tab, address string) error {
	if err := t.await(`document.querySelector('camd-key camd-qr')?.text`); err != nil {
		return err
	}
	text, err := eval[string](t, `document.querySelector('camd-key camd-qr').text`)
	if err != nil {
		return err
	}
	key, card, err := home.ParseKey(text)
	if err != nil {
		return err
	}
	if _, err := h.owner.Members(t.ctx); err != nil { // has the newest checkpoint
		return err
	}
	const name, role = "page", proto.RoleAdult
	if _, err := h.owner.Grant(t.ctx, proto.Grant{Card: string(card), Name: name, Role: role, Scopes: role.Preset()}); err != nil {
		return err
	}
	id := key.ClientID()
	camera, err := h.owner.Record().Card(h.keys, key, name, role, home.Broker{User: string(id), Password: h.broker.Password(id)})
	if err != nil {
		return err
	}
	if err := chromium.Load(t.ctx, address+"#card="+url.QueryEscape(string(camera))); err != nil {
		return err
	}
	const same = `document.querySelector('camd-add button[type=submit]')`
	if err := t.await(same); err != nil {
		return err
	}
	if _, err := eval[bool](t, `(`+same+`.click(), true)`); err != nil {
		return err
	}
	if err := t.await(`document.querySelector('.frame')?.dataset.state === 'live'`); err != nil {
		return err
	}
	_, err = eval[bool](t, `(location.hash = '#/cameras', true)`)
	return err
}

// witness watches the same camera until the function is called that it returns, which
// gives the hand-overs. They come from the RTP timestamps by the camera's sender reports,
// which tell where its capture clock stood (RFC 3550 section 6.4.1).
func (h *household) witness(b *bench) (func() (handovers, error), error) {
	units, err := readClip(b.clip, clipRate)
	if err != nil {
		return nil, err
	}
	end := func(picture []byte) string { // tells it from all others
		picture = bytes.TrimRight(picture, "\x00")
		return string(picture[max(0, len(picture)-64):])
	}
	numbers := make(map[string]int, len(units))
	for n, u := range units {
		numbers[end(u)] = n
	}
	var mu sync.Mutex
	handed := newHandovers()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	s, err := h.owner.Watch(ctx, client.WatchOptions{Video: func(f client.Frame) {
		if n, ok := numbers[end(f.Data)]; ok {
			mu.Lock()
			defer mu.Unlock()
			handed[n] = f.Captured
		}
	}})
	if err != nil {
		return nil, err
	}
	return func() (handovers, error) {
		s.Close()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(handed), nil
	}, nil
}
