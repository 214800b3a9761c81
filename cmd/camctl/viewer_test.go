package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
)

func TestViewerServesThePageUntilItEnds(t *testing.T) {
	ca, err := pki.NewCA("page")
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Server("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key, err := pki.WritePair(dir, "page", server)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for scheme, c := range map[string]viewerCmd{
		"http://":  {Listen: "127.0.0.1:0"},
		"https://": {Listen: "127.0.0.1:0", Cert: cert, Key: key, Broker: "wss://broker.example:8885"},
	} {
		ctx, end := context.WithCancel(t.Context())
		out, said := io.Pipe()
		env := &environment{Output: command.Output{Out: said, ErrOut: io.Discard, JSON: true}, ctx: ctx, log: slog.New(slog.DiscardHandler)}
		ended := make(chan error, 1)
		go func() { ended <- c.Run(env) }()
		var line struct{ Address string }
		if err := json.NewDecoder(out).Decode(&line); err != nil || !strings.HasPrefix(line.Address, scheme) {
			t.Fatalf("%+v, %v", line, err)
		}
		for path, part := range map[string]string{"": "<!doctype html>", "config.json": c.Broker} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, line.Address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(got.Body)
			_ = got.Body.Close()
			if err != nil || got.StatusCode != http.StatusOK || !strings.Contains(string(body), part) {
				t.Errorf("%s%s: %d %q, %v", scheme, path, got.StatusCode, body, err)
			}
		}
		client.CloseIdleConnections()
		end()
		if err := <-ended; err != nil {
			t.Errorf("%s: it ends with %v", scheme, err)
		}
	}
}

func TestViewerSaysThatAPlaceIsTaken(t *testing.T) {
	first := viewerCmd{Listen: "127.0.0.1:0"}
	ctx, end := context.WithCancel(t.Context())
	out, said := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- first.Run(&environment{Output: command.Output{Out: said, ErrOut: io.Discard, JSON: true}, ctx: ctx})
	}()
	var line struct{ Address string }
	if err := json.NewDecoder(out).Decode(&line); err != nil {
		t.Fatal(err)
	}
	place := strings.Trim(strings.TrimPrefix(line.Address, "http:"), "/")
	err := viewerCmd{Listen: place}.Run(&environment{ctx: ctx})
	if err == nil || !strings.HasPrefix(err.Error(), "the page can't be served on "+place+": address already in use") {
		t.Errorf("the second says %v", err)
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
