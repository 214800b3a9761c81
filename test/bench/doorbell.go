package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
)

const (
	bellMembers = 4               // who are told of a ring, the owner among them
	sameRing    = 3 * time.Second // presses within it are one
	mostRings   = 20              // a member's allowance of what is logged holds no more
)

// doorbell measures from the press of a bell to what members get, and snapshots.
func (b *bench) doorbell() error {
	h, err := b.householdThat("source = \"synthetic\"\nwidth = 1280\nheight = 720\nrate = 30\nkeyframe_seconds = 10\n", "source = \"tone\"\nspeaker = \"file\"\n")
	if err != nil {
		return err
	}
	defer h.close()
	members := []*client.Camera{h.owner}
	for range bellMembers - 1 {
		m, err := h.guest(b.ctx)
		if err != nil {
			return err
		}
		defer m.Close()
		members = append(members, m)
	}
	d := &door{bench: b, household: h, members: members}
	for _, step := range []func() error{d.cold, d.rings, d.report} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// door is a doorbell whose members are all at their phones.
type door struct {
	*bench
	*household
	members []*client.Camera

	quiet, fresh, coldShots []time.Duration // a request that changes nothing; a join and a snapshot while nobody needs the camera
	told, joined, through   []time.Duration // from the press to a notice; from there to the picture; both
	later, warmShots        []time.Duration // a join and a snapshot a second later
	size                    int             // of a snapshot, bytes
}

// cold joins a camera whose encoder rests, and takes snapshots of it.
func (d *door) cold() error {
	for range min(d.Sessions, mostRings) {
		if err := d.pause(2 * time.Second); err != nil {
			return err
		}
		quiet, err := d.status(d.ctx)
		if err != nil {
			return err
		}
		fresh, err := d.once(d.ctx)
		if err != nil {
			return err
		}
		if err := d.pause(2 * time.Second); err != nil {
			return err
		}
		shot, err := d.shot()
		if err != nil {
			return err
		}
		d.quiet, d.fresh, d.coldShots = append(d.quiet, quiet), append(d.fresh, fresh), append(d.coldShots, shot)
	}
	return nil
}

func (d *door) shot() (time.Duration, error) {
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	began := time.Now()
	p, err := d.owner.Snapshot(ctx)
	d.size = len(p.Data)
	return time.Since(began), err
}

func (d *door) rings() error {
	for range min(d.Sessions, mostRings) {
		if err := d.pause(sameRing + 200*time.Millisecond); err != nil {
			return err
		}
		if err := d.ringOnce(); err != nil {
			return err
		}
		if err := d.pause(time.Second); err != nil {
			return err
		}
		later, err := d.once(d.ctx)
		if err != nil {
			return err
		}
		shot, err := d.shot()
		if err != nil {
			return err
		}
		d.later, d.warmShots = append(d.later, later), append(d.warmShots, shot)
	}
	return nil
}

// ringOnce presses the bell. The owner joins upon the notice.
func (d *door) ringOnce() error {
	ctx, cancel := context.WithTimeout(d.ctx, patience)
	defer cancel()
	var all []<-chan client.Notice
	for _, m := range d.members {
		l, stop, err := m.Notices(ctx)
		if err != nil {
			return err
		}
		defer stop()
		all = append(all, l)
	}
	began := time.Now()
	told := make([]time.Duration, len(all))
	var wg sync.WaitGroup
	for i, l := range all[1:] {
		wg.Go(func() { told[i+1] = rung(ctx, l, began) })
	}
	if err := d.press(ctx); err != nil {
		return err
	}
	told[0] = rung(ctx, all[0], began)
	joined, err := d.once(ctx)
	through := time.Since(began)
	wg.Wait()
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("a member was not told: %w", ctx.Err())
	}
	d.told = append(d.told, told...)
	d.joined, d.through = append(d.joined, joined), append(d.through, through)
	return nil
}

// press rings as a bell does that is no input device of the board.
func (d *door) press(ctx context.Context) error {
	line, err := client.Ask(ctx, d.socket, map[string]string{"cmd": "ring"})
	if err != nil {
		return err
	}
	var a struct {
		OK    bool
		Error string
	}
	if err := json.Unmarshal(line, &a); err != nil || !a.OK {
		return fmt.Errorf("ring: %s: %w", a.Error, err)
	}
	return nil
}

// rung waits for the notice of a ring.
func rung(ctx context.Context, l <-chan client.Notice, began time.Time) time.Duration {
	for {
		select {
		case n := <-l:
			if n.Entry.Kind == accesslog.KindRing {
				return time.Since(began)
			}
		case <-ctx.Done():
			return 0
		}
	}
}

func (d *door) report() error {
	var cold []time.Duration // what it would take without a prepared picture
	for i, t := range d.fresh {
		cold = append(cold, t+d.told[i*len(d.members)])
	}
	shot := fmt.Sprintf("snapshot of %d kB, from asking to the last byte, ", d.size/1000)
	for _, q := range []string{"p50", "p95"} {
		for _, r := range []struct {
			figure         string
			camd, baseline []time.Duration
		}{
			{fmt.Sprintf("press of the bell to the notice at each of %d members (baseline: a request that changes nothing), ", len(d.members)), d.told, d.quiet},
			{"notice to first picture, joined upon it (baseline: the same with a cold camera), ", d.joined, d.fresh},
			{"asking to first picture, a second after the notice (baseline: the same with a cold camera), ", d.later, d.fresh},
			{"press of the bell to first picture (baseline: the same with a cold camera), ", d.through, cold},
			{shot + "camera cold (baseline: a request that changes nothing), ", d.coldShots, d.quiet},
			{shot + "camera prepared (baseline: a request that changes nothing), ", d.warmShots, d.quiet},
		} {
			d.bench.report.pair(r.figure+q, "ms", ms(quantile(r.camd, quantiles[q])), ms(quantile(r.baseline, quantiles[q])))
		}
	}
	return nil
}
