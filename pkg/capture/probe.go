package capture

import (
	"errors"

	"github.com/camd-project/camd/pkg/capture/v4l2"
)

// DeviceInfo is one video device as `camd check` shows it.
type DeviceInfo struct {
	v4l2.Device
	Problem string // why it can't be used, a sentence; empty if it can
}

// Probe looks at every video device. Nodes that are no cameras, such as those for
// metadata, are left out.
func Probe() ([]DeviceInfo, error) { return probe(kernel{}) }

func probe(d driver) ([]DeviceInfo, error) {
	paths, err := d.Paths()
	if err != nil {
		return nil, err
	}
	var l []DeviceInfo
	want := DefaultConfig()
	for _, p := range paths {
		dev, err := d.Describe(p, want.Width, want.Height)
		if errors.Is(err, v4l2.ErrNotCamera) {
			continue
		}
		info := DeviceInfo{Device: dev}
		info.Path = p
		if err != nil {
			info.Problem = explain(err)
		} else if _, ok := choose(dev, want); !ok {
			info.Problem = "It offers no format that camd can use (H.264, YU12, NV12, YUYV, UYVY or motion JPEG)."
		}
		l = append(l, info)
	}
	return l, nil
}
