package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/capture"
	"github.com/camd-project/camd/pkg/capture/v4l2"
	"github.com/camd-project/camd/pkg/config"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/health"
)

// cameras lists what there is, and says whether the configured camera gives pictures.
func (r *report) cameras(ctx context.Context, cfg config.Config) {
	if cfg.Capture.Source == capture.SourceV4L2 {
		r.devices()
	} else {
		r.line("camera", "ok", "source is "+cfg.Capture.Source+": no device is used")
	}
	state, reason := r.pictures(ctx, cfg)
	switch state {
	case health.OK:
		r.line("pictures", "ok", cmp.Or(reason, "they come as configured"))
	case health.Degraded:
		r.line("pictures", "ok", reason)
	case health.Starting:
		r.line("pictures", "?", cmp.Or(reason, "none has come yet"))
	default:
		r.fail("pictures", reason)
	}
}

// tryTime bounds the wait for a picture.
const tryTime = 15 * time.Second

// pictures asks the running camd, which has the camera, or opens it, unless privacy
// mode says that it stays closed.
func (r *report) pictures(ctx context.Context, cfg config.Config) (health.State, string) {
	if a, err := ask(cfg.Device.Socket, adminRequest{Cmd: "status"}); err == nil {
		for _, c := range a.Status.Conditions {
			if c.Name == "camera" {
				return health.State(c.State), c.Reason
			}
		}
	}
	set, err := auth.ReadSettings(ctx, settingsConfig(cfg))
	switch {
	case err != nil:
		return health.Starting, "not tried, since nobody knows whether privacy mode is on: " + err.Error()
	case set.Privacy:
		return health.OK, "not tried, since privacy mode is on: the camera stays closed"
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	s, err := capture.Try(ctx, cfg.Capture)
	if err != nil {
		return health.Failed, strings.TrimPrefix(err.Error(), "capture configuration: ")
	}
	return s.State, s.Reason
}

func (r *report) devices() {
	devices, err := capture.Probe()
	if err != nil {
		r.fail("camera", err.Error())
		return
	}
	if len(devices) == 0 {
		r.line("camera", "-", "there is no device /dev/video*: plug one in or set capture.source = \"synthetic\"")
	}
	for _, d := range devices {
		detail := d.Path
		if d.Name != "" {
			detail += fmt.Sprintf(" %s (%s)", foreign.Name(d.Name), d.Bus)
		}
		if d.Multiplanar {
			detail += ", multi-planar"
		}
		if d.Problem != "" {
			r.line("camera", "-", detail+": "+d.Problem)
			continue
		}
		r.line("camera", "ok", detail)
		for _, f := range d.Formats {
			r.line("", "", fmt.Sprintf("%s %s: %s", f.Pixel, foreign.Name(f.Description), sizes(f.Sizes)))
		}
	}
}

// sizes lists frame sizes with their rates: 1280x720 (30, 15 fps), …
func sizes(l []v4l2.Size) string {
	texts := make([]string, len(l))
	for i, s := range l {
		texts[i] = fmt.Sprintf("%dx%d", s.MaxWidth, s.MaxHeight)
		if s.MinWidth != s.MaxWidth || s.MinHeight != s.MaxHeight {
			texts[i] = fmt.Sprintf("%dx%d to %s", s.MinWidth, s.MinHeight, texts[i])
		}
		if len(s.Rates) > 0 {
			texts[i] += fmt.Sprintf(" (%s fps)", strings.Trim(fmt.Sprint(s.Rates), "[]"))
		}
	}
	return strings.Join(texts, ", ")
}
