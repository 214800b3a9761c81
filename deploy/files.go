// Package deploy holds the configuration of a household's own server, so that camops household
// lays it out as it is tested.
package deploy

import _ "embed"

// The files. docs/household.md says where they go; HOSTNAME and SECRET stand for the server's.
var (
	//go:embed Caddyfile
	Caddy string
	//go:embed turnserver.conf
	TURN string
	//go:embed camd-turn.service
	Service string
	//go:embed compose.yaml
	Compose string

	// Of a camera with relay_only.
	//go:embed camd-relay.service
	Relay string
	//go:embed camd-relay.timer
	RelayTimer string
)
