package live

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
)

// Config is the [live] table.
type Config struct {
	MaxSessions    int         `toml:"max_sessions" allow:"1..16" doc:"How many viewers may watch at once. One place is kept for owners, and nobody else has more than two."`
	MinBitrateKbps int         `toml:"min_bitrate_kbps" allow:"0..50000" doc:"Viewers on slow networks lower the video bitrate to this at most, in kbit/s. 0: a fifth of bitrate_kbps in [capture]."`
	RelayOnly      bool        `toml:"relay_only" doc:"Send media through a TURN server only, so that viewers never learn the camera's address."`
	ICEServers     []ICEServer `toml:"ice_servers" doc:"STUN and TURN servers that help viewers outside the home network."`
}

// ICEServer is one [[live.ice_servers]] table.
type ICEServer struct {
	URLs       []string `toml:"urls" doc:"Such as stun:stun.example.org:3478 or turns:turn.example.org:443?transport=tcp."`
	Username   string   `toml:"username" doc:"For TURN."`
	Credential string   `toml:"credential" doc:"For TURN."`

	CredentialsFile string `toml:"credentials_file" doc:"Instead of username and credential: a file with credentials that end by themselves, as camctl --json turn-credentials prints them and a household's server gives them. Another program writes it anew; camd reads it for each session."`
}

// LogValue keeps the credential out of logs.
func (s ICEServer) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("urls", s.URLs), slog.String("username", s.Username))
}

// String keeps the credential out of prints.
func (s ICEServer) String() string { return fmt.Sprintf("%v (user %q)", s.URLs, s.Username) }

// GoString keeps the credential out of prints.
func (s ICEServer) GoString() string { return s.String() }

// DefaultConfig returns the values for what the file does not set.
func DefaultConfig() Config { return Config{MaxSessions: 4} }

func (c Config) validate() error {
	if c.MaxSessions < 1 {
		return errors.New("live.max_sessions must be at least 1")
	}
	relays := 0
	for _, s := range c.ICEServers {
		n, err := s.relays()
		if err != nil {
			return err
		}
		relays += n
	}
	if c.RelayOnly && relays == 0 {
		return errors.New("live.relay_only needs a TURN server in live.ice_servers")
	}
	return nil
}

// relays checks the server's URLs and returns how many are of TURN.
func (s ICEServer) relays() (n int, err error) {
	if len(s.URLs) == 0 {
		return 0, errors.New("live.ice_servers: urls is empty")
	}
	for _, u := range s.URLs {
		uri, err := stun.ParseURI(u)
		if err != nil {
			return 0, fmt.Errorf("live.ice_servers: %q is no STUN or TURN URL: %w", u, err)
		}
		if uri.Scheme != stun.SchemeTypeTURN && uri.Scheme != stun.SchemeTypeTURNS {
			continue
		}
		n++
		fixed := s.Username != "" || s.Credential != ""
		switch {
		case fixed && s.CredentialsFile != "":
			return 0, fmt.Errorf("live.ice_servers: %s has a credentials_file, so leave out username and credential", u)
		case s.CredentialsFile == "" && (s.Username == "" || s.Credential == ""):
			return 0, fmt.Errorf("live.ice_servers: %s needs username and credential, or a credentials_file", u)
		}
	}
	return n, nil
}

// hasRelay reports whether a TURN server is configured.
func (c Config) hasRelay() bool {
	return slices.ContainsFunc(c.ICEServers, func(s ICEServer) bool {
		n, _ := s.relays() // New has checked it
		return n > 0
	})
}

// iceServers returns the servers in pion's form, with the credentials of this moment. Servers
// whose credentials can't be read are left out, and err says why it
// is so for the first of them.
func (c Config) iceServers() (l []webrtc.ICEServer, err error) {
	for _, s := range c.ICEServers {
		if s.CredentialsFile != "" {
			var why error
			if s.Username, s.Credential, why = readCredentials(s.CredentialsFile); why != nil {
				err = cmp.Or(err, why)
				continue
			}
		}
		l = append(l, webrtc.ICEServer{URLs: slices.Clone(s.URLs), Username: s.Username, Credential: s.Credential})
	}
	return l, err
}

// CheckCredentials returns an error if a TURN server's credentials_file can't be used now.
func (c Config) CheckCredentials() error {
	_, err := c.iceServers()
	return err
}
