package push

import (
	"fmt"
	"strings"
)

// Config is the table [push] of the configuration file.
type Config struct {
	Hosts []string `toml:"hosts" doc:"Push services that members' browsers may name: host names, *.example.org for all below one. The camera sends to no other, and only while the household's setting push is on."`
}

// DefaultConfig returns the push services of the common browsers: Chromium, Firefox, Safari, Edge.
func DefaultConfig() Config {
	return Config{Hosts: []string{"fcm.googleapis.com", "updates.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"}}
}

func (c Config) check() error {
	for _, h := range c.Hosts {
		name := strings.TrimPrefix(h, "*.")
		if !strings.Contains(name, ".") || strings.ContainsAny(name, "*/:@ ") {
			return fmt.Errorf("hosts: %q is no host name: write push.example.org, or *.push.example.org", h)
		}
	}
	return nil
}

// known reports whether host is one of the push services.
func (c Config) known(host string) bool {
	host = strings.ToLower(host)
	for _, h := range c.Hosts {
		if below, ok := strings.CutPrefix(h, "*"); ok && strings.HasSuffix(host, below) || host == h {
			return true
		}
	}
	return false
}
