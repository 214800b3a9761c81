package audio

import "github.com/camd-project/camd/pkg/audio/alsa"

// Config is the table [audio] of the configuration file.
type Config struct {
	Source      string `toml:"source" allow:"alsa|tone|off" doc:"Where sound comes from: alsa is a microphone, tone a beep once a second, off none."`
	Device      string `toml:"device" doc:"ALSA capture device: auto takes the first that captures at 48 kHz; else hw:CARD,DEVICE, as camd check lists them."`
	BitrateKbps int    `toml:"bitrate_kbps" allow:"12..128" doc:"Bits that Opus spends, in kbit/s."`

	MicrophoneElement string `toml:"microphone_element" doc:"Mixer element of the microphone's gain, such as Mic or Capture; empty leaves the gain alone."`
	MicrophoneLevel   int    `toml:"microphone_level" allow:"1..100" doc:"Percent of that element's range, set whenever the microphone is opened."`

	Speaker        string `toml:"speaker" doc:"ALSA playback device: auto takes the first that plays at 48 kHz; else hw:CARD,DEVICE, as camd check lists them; null plays to nobody; file writes to speaker_file what would be heard; off: there is none."`
	SpeakerFile    string `toml:"speaker_file" doc:"File for speaker = \"file\": 16-bit little-endian samples at 48 kHz, mono, are appended. camd makes it, and takes no other file."`
	SpeakerElement string `toml:"speaker_element" doc:"Mixer element of the speaker's volume, such as Speaker, PCM or Master; empty leaves the volume alone."`
	Prompts        string `toml:"prompts" doc:"Archive of spoken prompts, as camops prompts makes it; empty: the one that is built in."`
	SpeakerLevel   int    `toml:"speaker_level" allow:"1..100" doc:"Percent of that element's range, set whenever the speaker is opened."`

	Echo string `toml:"echo" allow:"auto|cancel|duck|off" doc:"What keeps the speaker out of the microphone: cancel takes its echo out, and both sides may speak at once; duck silences the microphone while the speaker is heard; off nothing; auto cancels where it can, on one card with a stable delay, and else ducks."`
}

// DefaultConfig returns the default values.
func DefaultConfig() Config {
	return Config{
		Source: "alsa", Device: "auto", BitrateKbps: 32, MicrophoneLevel: 80,
		Speaker: "auto", SpeakerLevel: 80, Echo: "auto",
	}
}

// CardInfo describes a device for Probe and Outputs.
type CardInfo = alsa.CardInfo

// Probe lists the machine's capture devices. It captures nothing.
func Probe() ([]CardInfo, error) { return alsa.Cards() }

// Outputs lists the machine's playback devices. It plays nothing.
func Outputs() ([]CardInfo, error) { return alsa.Outputs() }
