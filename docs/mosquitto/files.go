// Package mosquitto holds the configuration of mosquitto that camd ships, so that
// camops pki lays it out as it is tested.
package mosquitto

import _ "embed"

// The files, as docs/operations.md describes them.
var (
	//go:embed mosquitto.conf
	Configuration []byte
	//go:embed devices.acl
	DeviceRules []byte
	//go:embed viewers.acl
	ViewerRules []byte
)
