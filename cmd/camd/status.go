package main

import (
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/panel"
)

// scene is what the status LED shows. It is asked several times a second.
func (s *service) scene() panel.Scene {
	speaker, _ := s.floor.Speaker()
	scene := panel.Scene{
		Live:    len(s.sessions.Viewers()) > 0,
		Talk:    speaker != "",
		Pairing: s.authority.WindowState().Open,
		Privacy: s.authority.Settings().Privacy,
	}
	if scene.Pairing {
		scene.Joined, scene.Working, scene.Refused = s.pairing.stage()
	}
	for _, c := range s.board.Snapshot() {
		switch {
		case c.Name == "broker" && c.State == health.OK:
			scene.Online = true
		case troubled(c):
			scene.Trouble = true
		}
	}
	return scene
}

// troubled tells whether a condition is worth a light. That nobody has said anything
// about a live LED is for the maker to read, not for the people in the room.
func troubled(c health.Status) bool {
	return c.State == health.Failed || c.State == health.Degraded && c.Name != "live_led"
}
