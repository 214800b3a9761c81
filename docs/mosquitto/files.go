// Package mosquitto holds the configuration of mosquitto that camd ships, so that
// camops lays it out as it is tested.
package mosquitto

import _ "embed"

// The files, as docs/operations.md describes them.
var (
	//go:embed mosquitto.conf
	Configuration []byte
	// Browsers stands below Configuration on a household's own server.
	//go:embed browsers.conf
	Browsers []byte
	//go:embed devices.acl
	DeviceRules []byte
	//go:embed viewers.acl
	ViewerRules []byte
)
