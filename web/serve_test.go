package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/camd-project/camd/web"
)

func get(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w
}

func TestThePageIsServedWithItsHeaders(t *testing.T) {
	files := fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html>")},
		"app.js":               {Data: []byte("'use strict'")},
		"manifest.webmanifest": {Data: []byte("{}")},
		"icons/192.png":        {Data: []byte("\x89PNG\r\n\x1a\n")},
	}
	for _, c := range []struct {
		config       web.Config
		json, policy string
	}{
		{web.Config{}, `{}`, "connect-src 'self' wss: ws://127.0.0.1:* ws://localhost:*;"},
		{web.Config{Broker: &web.BrokerConfig{URL: "wss://b.example:8885/mqtt", Login: "login"}, TURN: "turn", Demo: &web.DemoConfig{Pair: "pair", Label: "CAMD:1?"}},
			`{"broker":{"url":"wss://b.example:8885/mqtt","login":"login"},"demo":{"pair":"pair","label":"CAMD:1?"},"turn":"turn"}`,
			"connect-src 'self' wss://b.example:8885;"},
	} {
		h := web.Handler(files, c.config)
		for path, want := range map[string]struct {
			code int
			kind string
		}{
			"/":                     {200, "text/html; charset=utf-8"},
			"/app.js":               {200, "text/javascript; charset=utf-8"},
			"/manifest.webmanifest": {200, "application/manifest+json"},
			"/icons/192.png":        {200, "image/png"},
			"/config.json":          {200, "application/json"},
			"/icons/":               {404, "text/plain; charset=utf-8"},
			"/nothing":              {404, "text/plain; charset=utf-8"},
		} {
			got := get(t, h, http.MethodGet, path)
			if got.Code != want.code || got.Header().Get("Content-Type") != want.kind {
				t.Errorf("%s: %d %s, want %+v", path, got.Code, got.Header().Get("Content-Type"), want)
			}
			for _, header := range web.Headers(c.config) {
				if got.Header().Get(header.Name) != header.Value {
					t.Errorf("%s: %s is %q, want %q", path, header.Name, got.Header().Get(header.Name), header.Value)
				}
			}
			if p := got.Header().Get("Content-Security-Policy"); !strings.Contains(p, c.policy) || !strings.Contains(p, "script-src 'self';") {
				t.Errorf("%s: the policy is %s, want %s", path, p, c.policy)
			}
		}
		if got := get(t, h, http.MethodGet, "/config.json").Body.String(); got != c.json {
			t.Errorf("config.json is %s, want %s", got, c.json)
		}
		if got := get(t, h, http.MethodPost, "/config.json"); got.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", got.Code)
		}
	}
}

func TestWhatIsEmbeddedIsWhole(t *testing.T) {
	h := web.Handler(web.Files, web.Config{})
	for path, part := range map[string]string{"/": "<!doctype html>", "/app.js": "crypto.subtle"} {
		if got := get(t, h, http.MethodGet, path); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), part) {
			t.Errorf("%s: %d, and %q is not in it", path, got.Code, part)
		}
	}
}
