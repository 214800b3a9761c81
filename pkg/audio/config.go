package audio

import "github.com/camd-project/camd/pkg/audio/alsa"

// Config is the table [audio] of the configuration file.
type Config struct {
	Source      string `toml:"source" allow:"alsa|tone|off" doc:"Where sound comes from: alsa is a microphone, tone a beep once a second, off none."`
	Device      string `toml:"device" doc:"ALSA capture device: auto takes the first that captures at 48 kHz; else hw:CARD,DEVICE, as camd check lists them."`
	BitrateKbps int    `toml:"bitrate_kbps" allow:"12..128" doc:"Bits that Opus spends, in kbit/s."`
}

// DefaultConfig returns the built-in values.
func DefaultConfig() Config { return Config{Source: "alsa", Device: "auto", BitrateKbps: 32} }

// CardInfo is what Probe tells of one capture device.
type CardInfo = alsa.CardInfo

// Probe lists the machine's capture devices. It captures nothing.
func Probe() ([]CardInfo, error) { return alsa.Cards() }
