package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/camd-project/camd/pkg/proto"
)

// hearing is Wi-Fi that hears what it is told.
type hearing struct {
	names    []string
	networks []proto.Network
	err      error
}

func (h hearing) Interfaces() []string { return h.names }

func (h hearing) Interface(context.Context) (string, error) { return "wlan0", h.err }

func (h hearing) Networks(context.Context) ([]proto.Network, error) { return h.networks, h.err }

func TestCheckTellsOfWiFi(t *testing.T) {
	for name, c := range map[string]struct {
		radio hearing
		want  []string
	}{
		"none": {hearing{}, []string{"Wi-Fi  -  none: this camera has no Wi-Fi interface"}},
		"away": {hearing{names: []string{"wlan0"}, err: &proto.SetupProblem{Code: proto.CodeNoWiFi, Detail: "The camera's Wi-Fi does not work."}}, []string{"Wi-Fi  ?  The camera's Wi-Fi does not work."}},
		"there": {hearing{names: []string{"wlan0"}, networks: []proto.Network{
			{SSID: "home", Security: proto.SecurityTransition, Signal: -50, Band: "5"},
			{SSID: "of\u202e fice\n", Security: proto.SecurityOther, Signal: -71, Band: "2.4"},
		}}, []string{`Wi-Fi    ok  "wlan0", which hears 2 networks`, `network  ok  "home", wpa2/wpa3, -50 dBm, 5 GHz`, `network  -   "of\u202e fice\u000a", other, -71 dBm, 2.4 GHz`}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			r := &report{w: tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)}
			r.wifi(t.Context(), c.radio)
			if err := r.w.Flush(); err != nil || r.wrong != 0 {
				t.Errorf("%d are wrong, %v", r.wrong, err)
			}
			if got, want := b.String(), strings.Join(c.want, "\n")+"\n"; got != want {
				t.Errorf("it says\n%swant\n%s", got, want)
			}
		})
	}
}
