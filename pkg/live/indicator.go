package live

import (
	"context"
	"time"
)

// Indicator is the live indicator: a light at the device that is on while someone
// watches or listens.
type Indicator interface {
	On() error  // for one more session; after an error, which says why it is not on, nothing was counted
	Off()       // for one session fewer
	Lit() error // why it is not on although a session has switched it on
}

// indicatorCheck is how often the server looks whether the indicator is still on.
const indicatorCheck = 2 * time.Second

// watchIndicator calls off each time it finds that the indicator has gone off while a
// session lasts: by another process, by a trigger of the kernel, or because its device
// has gone.
func watchIndicator(ctx context.Context, i Indicator, every time.Duration, off func(error)) {
	if i == nil {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := i.Lit(); err != nil {
			off(err)
		}
	}
}
