package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const maxProxyAnswer = 8 << 10 // bytes of a proxy's response header

// proxyFor returns the proxy that HTTPS_PROXY and NO_PROXY name for address, nil for none.
func proxyFor(env *httpproxy.Config, address string) (*url.URL, error) {
	to := &url.URL{Scheme: "https", Host: address}
	via, err := env.ProxyFunc()(to)
	if via != nil || err != nil || env.HTTPSProxy == "" {
		return via, err
	}
	// The library takes an address that it can't read for none. Someone who named a proxy
	// does not want camd to go past it.
	all := &httpproxy.Config{HTTPSProxy: env.HTTPSProxy}
	if p, _ := all.ProxyFunc()(&url.URL{Scheme: "https", Host: "proxied.invalid"}); p == nil {
		return nil, errors.New("HTTPS_PROXY is not a URL") // which may hold a password
	}
	return nil, nil
}

// tunnel asks an HTTP proxy to connect c to address. RFC 9110, 9.3.6.
func tunnel(ctx context.Context, c net.Conn, address string, user *url.Userinfo) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address,
		Header: http.Header{"User-Agent": nil}}
	if user != nil {
		login := http.Request{Header: http.Header{}}
		password, _ := user.Password()
		login.SetBasicAuth(user.Username(), password)
		ask.Header.Set("Proxy-Authorization", login.Header.Get("Authorization"))
	}
	if err := ask.Write(c); err != nil {
		return fmt.Errorf("write CONNECT: %w", err)
	}
	in := bufio.NewReader(io.LimitReader(c, maxProxyAnswer))
	answer, err := http.ReadResponse(in, ask) //nolint:bodyclose // closing would read on; the caller closes c
	if err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	switch {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("it answered %.80q", answer.Status)
	case in.Buffered() > 0: // a TLS server waits for the client to begin
		return errors.New("it sent more than an answer")
	}
	return nil
}
