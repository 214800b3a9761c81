package link

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// This file does what net/http would, which alone would make a release 200 kB larger.

const maxProxyAnswer = 8 << 10 // bytes of a proxy's response header

// proxyFor returns the proxy that HTTPS_PROXY names for a host, nil for none: if there is
// no such variable, the host is this machine, or NO_PROXY names it. The form of both is
// that of golang.org/x/net/http/httpproxy.
func proxyFor(getenv func(string) string, host, port string) (*url.URL, error) {
	either := func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return getenv(strings.ToLower(name))
	}
	text := either("HTTPS_PROXY")
	if text == "" || direct(either("NO_PROXY"), strings.ToLower(host), port) {
		return nil, nil
	}
	via, err := url.Parse(text)
	if err != nil || via.Scheme == "" || via.Host == "" {
		via, err = url.Parse("http://" + text)
	}
	if err != nil {
		return nil, errors.New("HTTPS_PROXY is no URL") // it may hold a password
	}
	return via, nil
}

// direct tells whether a host is not to be reached by the proxy.
func direct(exceptions, host, port string) bool {
	address, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && address.IsLoopback() {
		return true
	}
	for _, e := range strings.Split(exceptions, ",") {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" && excepts(e, host, port, address) {
			return true
		}
	}
	return false
}

// excepts tells whether one exception is about a host: a network, an address or a name,
// with a port or without; a name stands for what is below it, too.
func excepts(exception, host, port string, address netip.Addr) bool {
	if exception == "*" {
		return true
	}
	if network, err := netip.ParsePrefix(exception); err == nil {
		return address.IsValid() && network.Contains(address.Unmap())
	}
	if name, only, err := net.SplitHostPort(exception); err == nil {
		if only != port {
			return false
		}
		exception = name
	}
	if a, err := netip.ParseAddr(exception); err == nil {
		return address.IsValid() && a.Unmap() == address.Unmap()
	}
	if name, ok := strings.CutPrefix(exception, "*."); ok {
		exception = "." + name
	}
	if strings.HasPrefix(exception, ".") {
		return strings.HasSuffix(host, exception)
	}
	return host == exception || strings.HasSuffix(host, "."+exception)
}

// tunnel asks an HTTP proxy to connect c to address. RFC 9110, 9.3.6.
func tunnel(ctx context.Context, c net.Conn, address string, user *url.Userinfo) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	login := ""
	if user != nil {
		password, _ := user.Password()
		login = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", address, address, login); err != nil {
		return fmt.Errorf("write CONNECT: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(c, maxProxyAnswer))
	answer := textproto.NewReader(in)
	line, err := answer.ReadLine()
	if err == nil {
		_, err = answer.ReadMIMEHeader()
	}
	if err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	// RFC 9112, 4: HTTP/1.1 200 Connection established
	protocol, status, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(status, " ")
	switch {
	case !strings.HasPrefix(protocol, "HTTP/1."):
		return errors.New("it does not speak HTTP/1.1")
	case code != "200":
		return fmt.Errorf("it answered %.80q", status)
	case in.Buffered() > 0: // a TLS server waits for the client to begin
		return errors.New("it sent more than an answer")
	}
	return nil
}
