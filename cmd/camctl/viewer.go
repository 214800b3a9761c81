package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/web"
)

const (
	viewerHeader = 10 * time.Second // for a request's header
	viewerEnd    = 5 * time.Second  // for answers that are under way at the end
)

// viewerCmd serves the owner's page. The page needs nothing else of its server: its keys are in
// the browser, and it connects to the broker itself.
type viewerCmd struct {
	Listen string           `arg:"--listen" help:"where the page is served" default:"127.0.0.1:8088" placeholder:"HOST:PORT"`
	Cert   string           `arg:"--cert" help:"certificate for HTTPS, which other machines need, as PEM" placeholder:"FILE"`
	Key    string           `arg:"--key" help:"its key, as PEM" placeholder:"FILE"`
	Broker string           `arg:"--broker" help:"where browsers reach the broker, for camera cards that don't say it" placeholder:"wss://HOST:PORT"`
	Export *viewerExportCmd `arg:"subcommand:export" help:"write the page's files into a folder, for a web server"`
}

type viewerExportCmd struct {
	Dir    string `arg:"positional,required" help:"the folder" placeholder:"DIR"`
	Broker string `arg:"positional" help:"as --broker" placeholder:"wss://HOST:PORT"` // a flag would be taken for the one of viewer
}

// Run serves until Ctrl-C.
func (c viewerCmd) Run(env *environment) error {
	config, err := pageConfig(c.Broker)
	if err != nil {
		return err
	}
	certificate, err := c.certificate()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("the page can't be served on %s: %w; end what is there, or name another place with --listen, where browsers have other keys", c.Listen, withoutOp(err))
	}
	address := "http://" + listener.Addr().String() + "/"
	server := &http.Server{Handler: web.Handler(web.Files, config), ReadHeaderTimeout: viewerHeader}
	serve := server.Serve
	if certificate != nil {
		address = "https://" + listener.Addr().String() + "/"
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(listener) }()
	err = env.Print(map[string]string{"address": address}, "The page is at %s\nCtrl-C ends it.", address)
	if err == nil {
		select {
		case err = <-failed:
			return fmt.Errorf("the page can't be served any more: %w", err)
		case <-env.ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), viewerEnd)
	defer cancel()
	if shut := server.Shutdown(ctx); shut != nil {
		err = errors.Join(err, server.Close())
	}
	<-failed //nolint:errcheck // it was told to end
	return err
}

// certificate returns nil for a page without TLS. Browsers give a page its keys and the
// microphone only over HTTPS, or from their own machine.
func (c viewerCmd) certificate() (*tls.Certificate, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, command.Usage("--listen must be an address and a port, such as 127.0.0.1:8088")
	}
	ip := net.ParseIP(host)
	switch own := host == "localhost" || ip != nil && ip.IsLoopback(); {
	case (c.Cert == "") != (c.Key == ""):
		return nil, command.Usage("--cert and --key belong together")
	case c.Cert == "" && !own:
		return nil, command.Usage("other machines need HTTPS: name a certificate with --cert and --key, or an address of this machine, such as 127.0.0.1:8088")
	case c.Cert == "":
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("the certificate and its key can't be used: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &certificate, nil
}

// withoutOp leaves out what the person has typed.
func withoutOp(err error) error {
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// pageConfig returns what the page is told.
func pageConfig(broker string) (web.Config, error) {
	if broker == "" {
		return web.Config{}, nil
	}
	u, err := url.Parse(broker)
	if err != nil || u.Scheme != "wss" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(broker, " ;,'\"") {
		return web.Config{}, command.Usage("the broker must look like wss://broker.example:8885")
	}
	return web.Config{Broker: &web.BrokerConfig{URL: broker}}, nil
}

// Run writes the files.
func (c viewerExportCmd) Run(env *environment) error {
	config, err := pageConfig(c.Broker)
	if err != nil {
		return err
	}
	if err := c.write(config); err != nil {
		return fmt.Errorf("the page can't be written to %s: %w", c.Dir, home.WithoutPath(err))
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	headers := map[string]string{}
	var lines strings.Builder
	for _, h := range web.Headers(config) {
		headers[h.Name] = h.Value
		fmt.Fprintf(&lines, "    %s: %s\n", h.Name, h.Value)
	}
	return env.Print(map[string]any{"dir": dir, "headers": headers},
		"The page is in %s. Serve it by HTTPS from a host of its own, with these headers on every file:\n\n%s\n"+
			"Whoever can change these files can use the keys in the browsers that open the page. docs/operations.md says where to host it.",
		dir, command.Lines(lines.String()))
}

// write replaces the files of an earlier version. A config.json that someone made stays, unless
// there is something to say in it.
func (c viewerExportCmd) write(config web.Config) error {
	err := fs.WalkDir(web.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(c.Dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755) //nolint:gosec // a web server reads it
		}
		data, err := fs.ReadFile(web.Files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644) //nolint:gosec // a web server reads it
	})
	if err != nil || config == (web.Config{}) {
		return err
	}
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.Dir, web.ConfigFile), append(data, '\n'), 0o644) //nolint:gosec // a web server reads it
}
