package main

import (
	"context"
	"fmt"

	"github.com/camd-project/camd/pkg/client"
)

// evicted is closed when the household has ended.
func evicted(ctx context.Context, camera *client.Camera) (<-chan struct{}, error) {
	notices, cancel, err := camera.Notices(ctx)
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { // ends with the camera at the latest
		defer cancel()
		for range notices {
			continue
		}
		if ctx.Err() == nil {
			close(ended)
		}
	}()
	return ended, nil
}

// again pairs again after everyone was removed at the camera.
func (d *demo) again(p *page) error {
	d.env.Note("== everyone was removed at the camera: the household has ended")
	old := d.camera
	d.camera = nil
	old.Close()
	if err := d.camd.await(d.env.ctx, func() error { return d.pair(d.label) }); err != nil {
		return fmt.Errorf("the demo ends, since the camera can't be paired again: %w", err)
	}
	p.camera.Store(d.camera)
	d.env.Note("== %s has paired again, as the first owner. To the camera %s, %s and %s are strangers now: try ben status.",
		demoOwner, demoSecond, demoGuest, demoOther)
	return nil
}

// watch serves until ctx ends, camd dies, or the page can't be served any more.
func (d *demo) watch(ctx context.Context, p *page, failed <-chan error) error {
	for {
		ended, err := evicted(ctx, d.camera)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.camd.done:
			return d.camd.died()
		case err := <-failed:
			return fmt.Errorf("the page can't be served any more: %w", err)
		case <-ended:
		}
		if err := d.again(p); err != nil {
			return err
		}
	}
}
