package link

import (
	"net/url"
	"testing"

	"golang.org/x/net/http/httpproxy"
)

// What golang.org/x/net makes of the variables is what people expect.
func TestProxyForIsTheLibrarys(t *testing.T) {
	hosts := []string{"b.example", "B.Example", "x.b.example", "xb.example", "localhost", "127.0.0.1", "127.9.9.9", "::1", "192.0.2.7", "198.51.100.1", "2001:db8::7"}
	for _, exceptions := range []string{"", "*", "b.example", ".b.example", "*.b.example", "b.example:8883", "b.example:1", "other, b.example",
		"192.0.2.7", "192.0.2.0/24", "192.0.2.7:8883", "192.0.2.7:1", "2001:db8::/32", "2001:db8::7", "example", "[2001:db8::7]:8883", ",, ,"} {
		library := (&httpproxy.Config{HTTPSProxy: "http://proxy:3128", NoProxy: exceptions}).ProxyFunc()
		getenv := func(name string) string {
			return map[string]string{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": exceptions}[name]
		}
		for _, host := range hosts {
			to := &target{host: host, port: "8883"}
			want, err := library(&url.URL{Scheme: "https", Host: to.address()})
			if err != nil {
				t.Fatal(err)
			}
			got, err := proxyFor(getenv, host, "8883")
			if err != nil || (got == nil) != (want == nil) {
				t.Errorf("NO_PROXY=%q, %s: %v, %v, want %v", exceptions, host, got, err, want)
			}
		}
	}
}

func TestProxyForForms(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"http://proxy:3128":       "http://proxy:3128",
		"proxy:3128":              "http://proxy:3128",
		"http://me:pw@proxy:3128": "http://me:pw@proxy:3128",
		"socks5://proxy:1080":     "socks5://proxy:1080",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			got, err := proxyFor(func(n string) string { return map[string]string{name: text}[n] }, "b.example", "8883")
			if err != nil || (got == nil) != (want == "") || got != nil && got.String() != want {
				t.Errorf("%s=%s: %v, %v, want %s", name, text, got, err, want)
			}
		}
	}
	if got, err := proxyFor(func(n string) string { return "http://me:secret@%zz" }, "b.example", "8883"); err == nil || containsAll(err.Error(), []string{"secret"}) {
		t.Errorf("no URL: %v, %v", got, err)
	}
}
