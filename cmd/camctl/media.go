package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
)

// pathFlags say which ways a live session may take.
type pathFlags struct {
	ICEServer         []string `arg:"--ice-server,separate" help:"STUN or TURN server, such as turn:host:3478?transport=tcp; may be repeated" placeholder:"URL"`
	ICEUser           string   `arg:"--ice-user" help:"name for the TURN servers" placeholder:"NAME"`
	ICECredentialFile string   `arg:"--ice-credential-file" help:"file with the credential for the TURN servers" placeholder:"FILE"`
	RelayOnly         bool     `arg:"--relay-only" help:"use TURN only"`
}

// mediaFlags are shared by what shows and records.
type mediaFlags struct {
	pathFlags
	MaxKbps int  `arg:"--max-kbps" help:"ask the camera for at most this video bit rate" placeholder:"KBIT/S"`
	Mute    bool `arg:"--mute" help:"without sound"`
}

func (m mediaFlags) options() (client.WatchOptions, error) {
	if m.MaxKbps < 0 {
		return client.WatchOptions{}, command.Usage("--max-kbps is 0 or more; 0 leaves it to the camera")
	}
	o, err := m.pathFlags.options()
	o.MaxBitrate = 1000 * m.MaxKbps
	return o, err
}

func (m pathFlags) options() (client.WatchOptions, error) {
	o := client.WatchOptions{RelayOnly: m.RelayOnly}
	for _, u := range m.ICEServer {
		if scheme, host, _ := strings.Cut(u, ":"); host == "" || !slices.Contains([]string{"stun", "stuns", "turn", "turns"}, scheme) {
			return o, command.Usage(fmt.Sprintf("--ice-server is a STUN or TURN server, such as turn:host:3478?transport=tcp, not %q", u))
		}
	}
	if m.RelayOnly && !slices.ContainsFunc(m.ICEServer, func(u string) bool { return strings.HasPrefix(u, "turn") }) {
		return o, command.Usage("--relay-only needs a TURN server: name it with --ice-server turn:HOST:PORT")
	}
	if len(m.ICEServer) == 0 {
		return o, nil
	}
	credential := []byte(nil)
	if m.ICECredentialFile != "" {
		var err error
		if credential, err = os.ReadFile(m.ICECredentialFile); err != nil {
			return o, fmt.Errorf("%s can't be read: %w", m.ICECredentialFile, home.WithoutPath(err))
		}
	}
	o.ICEServers = []client.ICEServer{{URLs: m.ICEServer, Username: m.ICEUser, Credential: strings.TrimRight(string(credential), "\r\n")}}
	return o, nil
}
