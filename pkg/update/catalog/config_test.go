package catalog

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func goodConfig() Config {
	return Config{Source: Source{Anchors: "a", State: "s", URL: "https://updates.example/camd"},
		Compatible: "camd-rpi4-64", Device: "dev", Version: "1.0.0"}
}

func TestNew(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Config)
		want  string // in what is said; "" for nothing
	}{
		"good":          {func(*Config) {}, ""},
		"loopback":      {func(c *Config) { c.URL = "http://127.0.0.1:8080" }, ""},
		"loopback, v6":  {func(c *Config) { c.URL = "http://[::1]/" }, ""},
		"no TLS":        {func(c *Config) { c.URL = "http://updates.example" }, "https://"},
		"a name is not": {func(c *Config) { c.URL = "http://localhost" }, "https://"},
		"no URL":        {func(c *Config) { c.URL = "" }, "https://"},
		"a file":        {func(c *Config) { c.URL = "file:///srv" }, "https://"},
		"a query":       {func(c *Config) { c.URL += "?a" }, "https://"},
		"a password":    {func(c *Config) { c.URL = "https://a:b@updates.example" }, "https://"},
		"no kind":       {func(c *Config) { c.Compatible = "" }, "is no kind of device"},
		"no version":    {func(c *Config) { c.Version = "unknown" }, "can't be updated"},
		"no device":     {func(c *Config) { c.Device = "" }, "device's name"},
		"no anchors":    {func(c *Config) { c.Anchors = "" }, "folder of anchors"},
		"no state":      {func(c *Config) { c.State = "" }, "for their state"},
	} {
		cfg := goodConfig()
		tt.spoil(&cfg)
		_, err := New(cfg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedirectionsStaySecure(t *testing.T) {
	check := careful(&http.Client{}).CheckRedirect
	to := func(text string) *http.Request {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u}
	}
	via := slices.Repeat([]*http.Request{to("https://updates.example/x")}, maxRedirects)
	if err := check(to("https://other.example/x"), via); err != nil {
		t.Error(err)
	}
	if check(to("http://other.example/x"), via) == nil || check(to("https://other.example/x"), append(via, nil)) == nil {
		t.Error("it goes anywhere, or for ever")
	}
	if check(to("http://127.0.0.1/x"), via) == nil {
		t.Error("a server has the camera ask its own programs")
	}
}
