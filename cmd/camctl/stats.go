package main

import (
	"strconv"
	"time"

	"github.com/camd-project/camd/pkg/client"
)

// statsLine is one line of JSON; times are in milliseconds.
type statsLine struct {
	Kind        string  `json:"kind"` // second, summary; silent and lost are silentLine's, stream is streamLine's
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
	Estimate    int     `json:"estimate_kbps"` // what the path carries; 0: not known
	Queue       float64 `json:"queue_ms"`      // the longest that a picture waited at the camera, in the last second
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
		Dropped: now.Video.Dropped, AudioFrames: now.Audio.Frames, Estimate: now.Estimate / 1000, Queue: ms(now.Queue)}
	if now.Video.Frames == 0 {
		return e.Print(l, "waiting for the first picture")
	}
	return e.Print(l, "%dx%d  %5.1f fps  %6.0f kbit/s video  %4.0f kbit/s sound  %.1f %% lost  jitter %.1f ms  round trip %.1f ms  first picture %.0f ms  path carries %s  queue %.0f ms  (%s)",
		l.Width, l.Height, l.FPS, l.VideoKbps, l.AudioKbps, 100*l.Loss, l.Jitter, l.RTT, l.FirstFrame, carries(l.Estimate), l.Queue, l.Path)
}

func carries(kbps int) string {
	if kbps == 0 {
		return "an unknown bitrate"
	}
	return strconv.Itoa(kbps) + " kbit/s"
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
