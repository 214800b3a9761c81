package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
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

type watchCmd struct {
	mediaFlags
	Camera  string `arg:"positional" help:"name or device id; not needed when one camera is paired"`
	Seconds int    `arg:"--seconds" help:"how long to watch; 0 is until Ctrl-C" default:"0" placeholder:"N"`
	Once    bool   `arg:"--once" help:"end when the camera is lost, instead of watching again when it is back"`
}

// Run watches and prints a line a second. A camera that is lost is asked again until it
// is back.
func (w watchCmd) Run(env *environment) error {
	o, err := w.options()
	if err != nil {
		return err
	}
	if w.Seconds < 0 {
		return command.Usage("--seconds is 0 or more; 0 is until Ctrl-C")
	}
	o.Video = func(client.Frame) {}
	if !w.Mute {
		o.Audio = func(client.Frame) {}
	}
	camera, err := env.dial(w.Camera)
	if err != nil {
		return err
	}
	defer camera.Close()
	session, err := camera.Watch(env.ctx, o)
	var refused *client.Refused
	if !w.Mute && errors.As(err, &refused) && refused.Code == proto.CodeScope {
		return fmt.Errorf("%w If you were given the picture only, use --mute", err)
	}
	if err != nil {
		return err
	}
	env.Note("Watching %s. Ctrl-C ends it.", camera.Record().Title())
	ctx, cancel := context.WithCancel(env.ctx)
	v := &viewing{env: env, ctx: ctx, camera: camera.Camera, options: o, once: w.Once, session: session, before: session.Stats()}
	defer v.end()
	defer cancel()
	return v.follow(w.Seconds)
}

// statsLine is one line of JSON; times are in milliseconds.
type statsLine struct {
	Kind        string  `json:"kind"` // second, summary; silent and lost are silentLine's
	FirstPacket float64 `json:"first_packet_ms"`
	FirstFrame  float64 `json:"first_frame_ms"`
	Connected   float64 `json:"connected_ms"`
	Width       int     `json:"width"`
	Height      int     `json:"height"`
	FPS         float64 `json:"fps"`
	VideoKbps   float64 `json:"video_kbps"`
	AudioKbps   float64 `json:"audio_kbps"`
	Loss        float64 `json:"loss"` // 0 to 1, after repetition
	Jitter      float64 `json:"jitter_ms"`
	RTT         float64 `json:"rtt_ms"`
	Path        string  `json:"path"`
	Frames      uint64  `json:"frames"`
	Keyframes   uint64  `json:"keyframes"`
	Dropped     uint64  `json:"dropped"`
	AudioFrames uint64  `json:"audio_frames"`
}

func (e *environment) printStats(kind string, now, before client.Stats) error {
	r := now.Since(before)
	l := statsLine{Kind: kind, FirstPacket: ms(now.Video.FirstPacket), FirstFrame: ms(now.Video.FirstFrame), Connected: ms(now.Connected),
		Width: now.Video.Width, Height: now.Video.Height, FPS: r.FPS, VideoKbps: r.VideoKbps, AudioKbps: r.AudioKbps, Loss: r.Loss,
		Jitter: ms(now.Video.Jitter), RTT: ms(now.RTT), Path: now.Path, Frames: now.Video.Frames, Keyframes: now.Video.Keyframes,
		Dropped: now.Video.Dropped, AudioFrames: now.Audio.Frames}
	if now.Video.Frames == 0 {
		return e.Print(l, "waiting for the first picture")
	}
	return e.Print(l, "%dx%d  %5.1f fps  %6.0f kbit/s video  %4.0f kbit/s sound  %.1f %% lost  jitter %.1f ms  round trip %.1f ms  first picture %.0f ms  (%s)",
		l.Width, l.Height, l.FPS, l.VideoKbps, l.AudioKbps, 100*l.Loss, l.Jitter, l.RTT, l.FirstFrame, l.Path)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
