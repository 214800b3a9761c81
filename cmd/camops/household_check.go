package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/homeserver"
	"github.com/camd-project/camd/pkg/client/broker"
)

// checkTime bounds one of the checks.
const checkTime = 10 * time.Second

type householdCheckCmd struct {
	serverFlag
}

// Run checks each part of the server, and returns an error if one is not reached.
func (c *householdCheckCmd) Run(env *environment) error {
	s := homeserver.Server{Dir: c.Dir}
	admin, err := readAdmin(s.Path("broker-admin.json"))
	if err != nil {
		return err
	}
	s.Host = homeserver.HostOf(admin.URL)
	if err := found(env.ctx, s.Host); err != nil {
		return err
	}
	secret, err := homeserver.ReadSecret(s.Path("server", "turn.secret"))
	if err != nil {
		return err
	}
	turn, err := homeserver.NewCredentials(secret, s.Host, "check", time.Now().Add(time.Minute))
	if err != nil {
		return err
	}
	bad := 0
	for _, part := range []struct {
		name string
		try  func(context.Context) error
		todo string
	}{
		{"page", func(ctx context.Context) error { return pageServed(ctx, s.Host) },
			"Caddy serves it: systemctl status caddy. Ports 80 and 443 must lead to the server, or it gets no certificate"},
		{"broker for browsers and camctl", func(ctx context.Context) error {
			l, err := broker.DialLogins(ctx, admin)
			if err == nil {
				err = l.Check(ctx)
				l.Close()
			}
			return err
		}, "mosquitto answers behind Caddy: systemctl status mosquitto caddy"},
		{"broker for cameras", func(ctx context.Context) error { return brokerServes(ctx, s, "8883") },
			"port 8883 must lead to mosquitto: systemctl status mosquitto"},
		{"broker for certificates of members", func(ctx context.Context) error { return brokerServes(ctx, s, "8884") },
			"port 8884 must lead to mosquitto; browsers don't need it"},
		{"relay over UDP", func(ctx context.Context) error { return turn.Check(ctx, "udp") },
			"UDP ports 3478 and 49160 to 49359 must lead to coturn: systemctl status coturn. A server behind a router also needs external-ip in turnserver.conf"},
		{"relay over TCP", func(ctx context.Context) error { return turn.Check(ctx, "tcp") },
			"TCP port 3478 must lead to coturn"},
	} {
		ctx, cancel := context.WithTimeout(env.ctx, checkTime)
		err := part.try(ctx)
		cancel()
		if err != nil {
			bad++
			err = say(env.out, "%-36s no: %v. %s.", part.name, strings.TrimSuffix(err.Error(), "."), part.todo)
		} else {
			err = say(env.out, "%-36s works", part.name)
		}
		if err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of the server's parts are not reached from here", bad)
	}
	return nil
}

// found looks the name up once, since without it nothing is reached.
func found(ctx context.Context, host string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	if failed := new(net.DNSError); errors.As(err, &failed) {
		return fmt.Errorf("the name %s has no address here (%s), so nothing else was tried: give it the server's public address in DNS, as an A or AAAA record, and try again when that is known", host, failed.Err)
	}
	return err
}

// pageServed gets the page and its config.json, as a browser does.
func pageServed(ctx context.Context, host string) error {
	var config struct{ Broker struct{ URL string } }
	for path, into := range map[string]any{"/": nil, "/config.json": &config} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+path, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return fmt.Errorf("https://%s%s can't be had: %w", host, path, errors.Unwrap(err))
		}
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		_ = answer.Body.Close()
		switch {
		case err != nil:
			return err
		case answer.StatusCode != http.StatusOK:
			return fmt.Errorf("https://%s%s answers %s", host, path, answer.Status)
		case into != nil && json.Unmarshal(text, into) != nil:
			return fmt.Errorf("https://%s%s is no JSON", host, path)
		}
	}
	if want := "wss://" + host + "/mqtt"; config.Broker.URL != want {
		return fmt.Errorf("config.json names another broker than %s", want)
	}
	return nil
}

// brokerServes makes a TLS connection to mosquitto, which then wants a certificate.
func brokerServes(ctx context.Context, s homeserver.Server, port string) error {
	ca, err := os.ReadFile(s.Path("pki", "broker", "ca.crt"))
	if err != nil {
		return err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AppendCertsFromPEM(ca)
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", net.JoinHostPort(s.Host, port))
	if err != nil {
		return err
	}
	_ = conn.Close() // it may have ended the connection by now
	return nil
}
