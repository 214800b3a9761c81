package link

import (
	"strings"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

func TestProxyForForms(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"http://proxy:3128":       "http://proxy:3128",
		"proxy:3128":              "http://proxy:3128",
		"http://me:pw@proxy:3128": "http://me:pw@proxy:3128",
		"socks5://proxy:1080":     "socks5://proxy:1080",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			t.Setenv("HTTPS_PROXY", "")
			t.Setenv("https_proxy", "")
			t.Setenv(name, text)
			got, err := newDialer(&target{}).proxy("b.example:8883")
			if err != nil || (got == nil) != (want == "") || got != nil && got.String() != want {
				t.Errorf("%s=%s: %v, %v, want %s", name, text, got, err, want)
			}
		}
	}
	if got, err := proxyFor(&httpproxy.Config{HTTPSProxy: "http://me:secret@%zz"}, "b.example:8883"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("no URL: %v, %v", got, err)
	}
}

func TestProxyForExceptions(t *testing.T) {
	env := &httpproxy.Config{HTTPSProxy: "http://proxy:3128", NoProxy: "b.example:8883, 192.0.2.0/24"}
	for address, proxied := range map[string]bool{
		"b.example:8883":   false,
		"b.example:1":      true,
		"192.0.2.7:8883":   false,
		"198.51.100.1:1":   true,
		"localhost:8883":   false,
		"[::1]:8883":       false,
		"other.test:10000": true,
	} {
		if got, err := proxyFor(env, address); err != nil || (got != nil) != proxied {
			t.Errorf("%s: %v, %v, want a proxy: %v", address, got, err, proxied)
		}
	}
}
