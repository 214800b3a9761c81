// Package config reads camd's one configuration file: strict TOML, composed of the packages'
// own Config types. Its own values are only the device's name and paths. It refuses unknown
// keys and wrong values, and reports all of them at once, with the file, the line and what is
// allowed. Only commands import it.
package config

import (
	"github.com/camd-project/camd/pkg/audio"
	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/link"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/push"
	"github.com/camd-project/camd/pkg/setup/claim"
	"github.com/camd-project/camd/pkg/update"
)

// Config is the whole file. Field tags: toml is the key, doc the comment above it in the
// example, allow the allowed values.
type Config struct {
	Device    Device         `toml:"device" doc:"This device."`
	Capture   capture.Config `toml:"capture" doc:"Picture: V4L2 camera, or a source for tests."`
	Audio     audio.Config   `toml:"audio" doc:"Sound: ALSA microphone, or a source for tests."`
	Link      link.Config    `toml:"link" doc:"The broker that carries requests: MQTT 3.1.1 over mutual TLS 1.3."`
	Enrolment claim.Config   `toml:"enrolment" doc:"How the camera renews its certificate for the broker by itself."`

	Live live.Config `toml:"live" doc:"Live sessions: WebRTC."`

	Panel     panel.Config   `toml:"panel" doc:"Buttons of the device, through evdev, and its LEDs."`
	Setup     Setup          `toml:"setup" doc:"Setting the camera up, while its pairing window is open."`
	Update    update.Config  `toml:"update" doc:"The camera's own update, over the network, by the image's RAUC."`
	Push      push.Config    `toml:"push" doc:"Notices to browsers whose page is closed, by Web Push, while the household's setting push is on."`
	Household auth.Household `toml:"household" doc:"Settings until the household changes them, and those that it can't change."`
}

// Device configures the name of the device and its paths.
type Device struct {
	Name     string `toml:"name" doc:"What members see as this camera's name, until they choose another: 1 to 64 bytes, in one script."`
	State    string `toml:"state" doc:"Folder of identity, household keys, members and access log."`
	TPM      string `toml:"tpm" doc:"Where the TPM 2.0 is for an identity whose key lies in it: a device of the kernel, or the socket of an emulator."`
	Socket   string `toml:"socket" doc:"Unix socket for camd pair, camd status and local pairing; root and the group camd open it."`
	LogLevel string `toml:"log_level" doc:"What is logged to standard error: debug is the most, error the least." allow:"debug|info|warn|error"`
}

// Setup configures how the camera can be set up, besides by the local socket.
type Setup struct {
	BLE string `toml:"ble" doc:"Bluetooth LE, by BlueZ: auto takes the first adapter, off none, and hci1, for instance, the one of that name."`
}

// Default returns the default configuration.
func Default() Config {
	return Config{
		Device:  Device{Name: "camera", State: "/var/lib/camd", TPM: "/dev/tpmrm0", Socket: "/run/camd/camd.sock", LogLevel: "info"},
		Capture: capture.DefaultConfig(),
		Audio:   audio.DefaultConfig(),
		Link:    link.DefaultConfig(),
		Live:    live.DefaultConfig(),

		Panel:     panel.DefaultConfig(),
		Setup:     Setup{BLE: "auto"},
		Update:    update.DefaultConfig(),
		Push:      push.DefaultConfig(),
		Household: auth.DefaultHousehold(),
	}
}
