package main

import (
	"time"

	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/panel"
	"github.com/camd-project/camd/pkg/proto"
)

// status returns what members and the local socket see.
func (d *daemon) status() proto.StatusAnswer {
	a := proto.StatusAnswer{
		Device: d.identity.DeviceID(), Name: d.authority.Settings().Name, Version: version, Identity: d.identity.Class(),
		Uptime: int64(time.Since(d.started).Seconds()), Conditions: []proto.Condition{}, Sessions: []proto.Viewer{},
	}
	for _, c := range d.board.Snapshot() {
		a.Conditions = append(a.Conditions, proto.Condition{Name: c.Name, State: string(c.State), Reason: c.Reason, Since: c.Since.Unix()})
	}
	if u := d.updates.status(); u.State != proto.UpdateOff {
		u.Notes = "" // written by others, of any length: the operation update has them
		a.Update = &u
	}
	if d.certificate != nil {
		c := d.certificate.Status()
		a.Certificate = &c
	}
	talker, through := d.floor.Talker()
	for _, v := range d.live.Viewers() {
		var l []proto.Scope
		if v.View {
			l = append(l, proto.ScopeView)
		}
		if v.Listen {
			l = append(l, proto.ScopeListen)
		}
		if v.Client == talker && v.Session == through {
			l = append(l, proto.ScopeTalk)
		}
		a.Sessions = append(a.Sessions, proto.Viewer{Client: v.Client, Name: d.authority.MemberName(v.Client), Scopes: l, Since: v.Since.Unix(), Stream: v.Stream, Path: pathOf(v.Stats.Path)})
	}
	return a
}

func pathOf(p live.Path) *proto.Path {
	if p == (live.Path{}) {
		return nil
	}
	return &proto.Path{Kbps: p.Estimate / 1000, Trip: int(p.Trip.Milliseconds()), Loss: p.Loss, Queue: int(p.Queue.Milliseconds())}
}

// scene returns what the status LED shows. It is called several times a second.
func (d *daemon) scene() panel.Scene {
	talker, _ := d.floor.Talker()
	scene := panel.Scene{
		Live:    len(d.live.Viewers()) > 0,
		Talk:    talker != "",
		Pairing: d.authority.WindowState().Open,
		Privacy: d.authority.Settings().Privacy,
	}
	if scene.Pairing {
		scene.Joined, scene.Working, scene.Refused = d.pairing.stage()
	}
	for _, c := range d.board.Snapshot() {
		switch {
		case c.Name == "broker" && c.State == health.OK:
			scene.Online = true
		case c.State == health.Failed, c.State == health.Degraded && c.Name != "live_led":
			// What is missing about a live LED is for the maker to read, not for the room.
			scene.Trouble = true
		}
	}
	return scene
}
