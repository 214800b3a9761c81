package rtc

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestPathReport(t *testing.T) {
	for _, want := range []PathReport{{}, {2_345_000, 120 * time.Millisecond}, {1_000_000_000, time.Hour}} {
		b, err := want.Packet(7).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var p rtcp.ApplicationDefined
		if err := p.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		if got, ok := ReadPathReport(&p); !ok || got != want || p.SSRC != 7 {
			t.Errorf("%+v, %v of %d, want %+v", got, ok, p.SSRC, want)
		}
	}
	good := PathReport{}.Packet(7)
	for name, p := range map[string]rtcp.ApplicationDefined{
		"another name": {Name: "goog", Data: good.Data},
		"another kind": {Name: good.Name, SubType: 1, Data: good.Data},
		"too short":    {Name: good.Name, Data: good.Data[:7]},
	} {
		if _, ok := ReadPathReport(&p); ok {
			t.Errorf("%s: taken for a report", name)
		}
	}
	if _, ok := ReadPathReport(&rtcp.ApplicationDefined{Name: good.Name, Data: append(good.Data, 1, 2, 3, 4)}); !ok {
		t.Error("a later version's was not read")
	}
}
