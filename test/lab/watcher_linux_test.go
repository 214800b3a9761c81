package lab

// second is a line of camctl watch.
type second struct {
	Kind        string
	Width       int
	Height      int
	FPS         float64
	Frames      uint64
	AudioFrames uint64  `json:"audio_frames"`
	FirstFrame  float64 `json:"first_frame_ms"`
}

// watcher is a member who watches until the test ends.
type watcher struct{ *running[second] }

// watch begins to watch, until a session ends.
func (h *household) watch() watcher {
	h.t.Helper()
	return watcher{follow[second](h, "watch", "--once")}
}

// more waits for n more pictures than before.
func (w watcher) more(before second, n uint64) second {
	w.t.Helper()
	return w.until("more pictures come", func(s second) bool { return s.Frames >= before.Frames+n })
}
