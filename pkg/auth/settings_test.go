package auth

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// Each setting that the household can choose can be fixed by the configuration, which says so.
func TestEverySettingCanBeFixed(t *testing.T) {
	field, _ := reflect.TypeFor[Household]().FieldByName("Fixed")
	settings := reflect.TypeFor[proto.SettingsChange]()
	for i := range settings.NumField() {
		name, _, _ := strings.Cut(settings.Field(i).Tag.Get("json"), ",")
		h := DefaultHousehold()
		h.Fixed = []string{name}
		if err := h.Check(); err != nil || !strings.Contains(field.Tag.Get("doc"), " "+name) {
			t.Errorf("%s: %v; the configuration lists %q", name, err, field.Tag.Get("doc"))
		}
	}
	if settings.NumField() != len(settingNames) {
		t.Errorf("%d settings, of which %d can be fixed", settings.NumField(), len(settingNames))
	}
}

// What members may choose, and what is refused.
func TestSetSettings(t *testing.T) {
	for name, c := range map[string]struct {
		by    string
		fixed []string
		set   proto.SettingsChange
		want  proto.Code
		entry string
	}{
		"name":                         {by: "Anna", set: proto.SettingsChange{Name: new("porch")}, entry: "name=porch"},
		"time zone":                    {by: "Anna", set: proto.SettingsChange{TimeZone: new("Europe/Berlin")}, entry: "time_zone=Europe/Berlin"},
		"quiet hours":                  {by: "Anna", set: proto.SettingsChange{QuietHours: new("22:00-07:00")}, entry: "quiet_hours=22:00-07:00"},
		"no quiet hours":               {by: "Anna", set: proto.SettingsChange{QuietHours: new("")}, entry: "quiet_hours="},
		"privacy rule, narrower":       {by: "Anna", set: proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffDevice)}, entry: "privacy_off=device"},
		"several":                      {by: "Anna", set: proto.SettingsChange{Name: new("porch"), QuietHours: new("22:00-07:00")}, entry: "name=porch quiet_hours=22:00-07:00"},
		"privacy rule, wider":          {by: "Anna", set: proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffMembers)}, want: proto.CodeAtDevice},
		"privacy rule that is none":    {by: "Anna", set: proto.SettingsChange{PrivacyOff: new("nobody")}, want: proto.CodeBadRequest},
		"no such time zone":            {by: "Anna", set: proto.SettingsChange{TimeZone: new("Middle/Earth")}, want: proto.CodeTimeZone},
		"time zone outside its folder": {by: "Anna", set: proto.SettingsChange{TimeZone: new("../../../etc/passwd")}, want: proto.CodeTimeZone},
		"the machine's time zone":      {by: "Anna", set: proto.SettingsChange{TimeZone: new("Local")}, want: proto.CodeTimeZone},
		"no time zone":                 {by: "Anna", set: proto.SettingsChange{TimeZone: new("")}, want: proto.CodeTimeZone},
		"empty name":                   {by: "Anna", set: proto.SettingsChange{Name: new("")}, want: proto.CodeBadName},
		"name with a line end":         {by: "Anna", set: proto.SettingsChange{Name: new("a\nb")}, want: proto.CodeBadName},
		"long name":                    {by: "Anna", set: proto.SettingsChange{Name: new(strings.Repeat("x", naming.MaxBytes+1))}, want: proto.CodeBadName},
		"quiet hours of some days":     {by: "Anna", set: proto.SettingsChange{QuietHours: new("Mo 22:00-07:00")}, want: proto.CodeBadRequest},
		"several quiet hours":          {by: "Anna", set: proto.SettingsChange{QuietHours: new("22:00-07:00; 12:00-13:00")}, want: proto.CodeBadRequest},
		"talk, narrower":               {by: "Anna", set: proto.SettingsChange{Talk: new(proto.TalkAccepted)}, entry: "talk=accepted"},
		"talk, wider":                  {by: "Anna", set: proto.SettingsChange{Talk: new(proto.TalkAnnounced)}, want: proto.CodeAtDevice},
		"talk rule that is none":       {by: "Anna", set: proto.SettingsChange{Talk: new("always")}, want: proto.CodeBadRequest},
		"update hours":                 {by: "Anna", set: proto.SettingsChange{UpdateHours: new("Mo-Fr 02:00-05:00")}, entry: "update_hours=Mo-Fr 02:00-05:00"},
		"update hours that are none":   {by: "Anna", set: proto.SettingsChange{UpdateHours: new("at night")}, want: proto.CodeBadRequest},
		"long update hours":            {by: "Anna", set: proto.SettingsChange{UpdateHours: new("02:00-05:00" + strings.Repeat(" ", proto.MaxUpdateHours))}, want: proto.CodeBadRequest},
		"push off":                     {by: "Bob", set: proto.SettingsChange{Push: new(proto.PushOff)}, want: proto.CodeScope},
		"push on":                      {by: "Anna", set: proto.SettingsChange{Push: new(proto.PushOn)}, entry: "push=on"},
		"push that is neither":         {by: "Anna", set: proto.SettingsChange{Push: new("sometimes")}, want: proto.CodeBadRequest},
		"nothing":                      {by: "Anna", want: proto.CodeBadRequest},
		"one good and one bad":         {by: "Anna", set: proto.SettingsChange{Name: new("porch"), TimeZone: new("Nowhere")}, want: proto.CodeTimeZone},
		"fixed":                        {by: "Anna", fixed: []string{"name"}, set: proto.SettingsChange{Name: new("porch")}, want: proto.CodeFixed},
		"another one is fixed":         {by: "Anna", fixed: []string{"time_zone"}, set: proto.SettingsChange{Name: new("porch")}, entry: "name=porch"},
		"adult without the scope":      {by: "Bob", set: proto.SettingsChange{Name: new("porch")}, want: proto.CodeScope},
		"guest":                        {by: "Carl", set: proto.SettingsChange{Name: new("porch")}, want: proto.CodeScope},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				h.cfg.Household.Fixed = c.fixed
				h.restart()
				anna, bob, carl, _ := h.household()
				by := map[string]*person{"Anna": anna, "Bob": bob, "Carl": carl}[c.by]
				by.must(proto.OpStatus, nil)
				before, was := h.size(), h.a.Settings()
				a := by.ask(proto.OpSetSettings, c.set)
				if c.want == "" {
					c.want = proto.CodeOK
				}
				if a.Code != c.want {
					t.Fatalf("answer: %s, want %s", a.Code, c.want)
				}
				if c.want != proto.CodeOK {
					if !sameSettings(h.a.Settings(), was) || slices.Contains(h.kinds(before), accesslog.KindSettings) {
						t.Errorf("refused, and yet: %+v, log %v", h.a.Settings(), h.kinds(before))
					}
					return
				}
				e := h.entries(before)[0]
				if e.Kind != accesslog.KindSettings || strings.Join(e.Set, " ") != c.entry || e.Client != by.id {
					t.Errorf("entry: %+v", e)
				}
				now := h.a.Settings()
				if got := read[proto.Settings](t, a); !sameSettings(got, now) || sameSettings(now, was) {
					t.Errorf("answer %+v, in force %+v, before %+v", got, now, was)
				}
				h.restart()
				if got := read[proto.Settings](t, carl.must(proto.OpSettings, nil)); !sameSettings(got, now) {
					t.Errorf("after a restart: %+v, want %+v", got, now)
				}
			})
		})
	}
}

func sameSettings(a, b proto.Settings) bool {
	same := slices.Equal(a.Chosen, b.Chosen)
	a.Chosen, b.Chosen = nil, nil
	return same && a.Name == b.Name && a.TimeZone == b.TimeZone && a.PrivacyOff == b.PrivacyOff && a.QuietHours == b.QuietHours && a.Talk == b.Talk && a.UpdateHours == b.UpdateHours && a.Push == b.Push && a.Privacy == b.Privacy
}

// Someone at the device may also loosen the privacy rule; what the configuration fixes
// is fixed for them too, and comes back into force when it fixes something later.
func TestSettingsAtTheDevice(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna := h.owner("Anna")
		s, err := h.a.ChangeSettings(proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffMembers), Name: new("porch")})
		if err != nil || s.PrivacyOff != proto.PrivacyOffMembers || !slices.Equal(s.Chosen, []string{"name", "privacy_off"}) {
			t.Errorf("%+v, %v", s, err)
		}
		if e := lastEntry(t, h.a); e.Kind != accesslog.KindSettings || e.Client != "" || e.Network != accesslog.NetLocal {
			t.Errorf("entry: %+v", e)
		}
		h.cfg.Household.Fixed = []string{"privacy_off", "name"}
		h.restart()
		if s := h.a.Settings(); s.PrivacyOff != proto.PrivacyOffDevice || s.Name != "nursery" || len(s.Chosen) != 0 {
			t.Errorf("fixed later: %+v", s)
		}
		if _, err := h.a.ChangeSettings(proto.SettingsChange{Name: new("attic")}); !refused(err, proto.CodeFixed) {
			t.Errorf("fixed: %v", err)
		}
		anna.must(proto.OpPrivacy, proto.Privacy{On: true})
		anna.want(proto.CodeAtDevice, proto.OpPrivacy, proto.Privacy{})
	})
}

// A configuration that no household could be given is refused.
func TestHouseholdConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		f    func(*Household)
		want string
	}{
		"default":      {func(*Household) {}, ""},
		"time zone":    {func(c *Household) { c.TimeZone = "Nowhere" }, "time_zone: "},
		"quiet hours":  {func(c *Household) { c.QuietHours = "late" }, "quiet_hours: "},
		"update hours": {func(c *Household) { c.UpdateHours = "late" }, "update_hours: "},
		"fixed":        {func(c *Household) { c.Fixed = []string{"volume"} }, `fixed: there is no setting "volume"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultHousehold()
			c.f(&cfg)
			err := cfg.Check()
			if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// While camd does not run, its settings can be read all the same.
func TestReadSettings(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		if _, err := h.a.ChangeSettings(proto.SettingsChange{Name: new("porch")}); err != nil {
			t.Fatal(err)
		}
		if err := h.a.SetPrivacy(true); err != nil {
			t.Fatal(err)
		}
		want := h.a.Settings()
		h.restart(func() {
			if got, err := ReadSettings(t.Context(), h.cfg); err != nil || !sameSettings(got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			fresh := h.cfg
			fresh.State = t.TempDir()
			if got, err := ReadSettings(t.Context(), fresh); err != nil || got.Name != "nursery" || got.Privacy {
				t.Errorf("without a store: %+v, %v", got, err)
			}
		})
	})
}

// Privacy mode: on by anyone, at once; off at the device only, unless chosen otherwise.
func TestPrivacy(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		h.linger = make(chan struct{})
		live := []*stream{anna.watch("s1", proto.ScopeView), bob.watch("s1", proto.ScopeListen)}
		h.deliver()
		h.deeds()
		index := h.size()
		carl.answers = nil
		carl.send(carl.request(proto.OpPrivacy, proto.Privacy{On: true}))
		synctest.Wait()
		if h.deliver(); len(carl.answers) != 0 || h.size() != index {
			t.Errorf("while the last packets leave: %d answers, log %v", len(carl.answers), h.kinds(index))
		}
		anna.want(proto.CodePrivacy, proto.OpLive, view(proto.ScopeView), in("s2")) // nothing starts any more
		anna.must(proto.OpStatus, nil)
		close(h.linger)
		h.deliver()
		if got := h.deeds(); !slices.Equal(got, []string{"last packet", "last packet", "closed"}) {
			t.Errorf("in this order: %v", got)
		}
		if len(carl.answers) != 1 || carl.answers[0].Code != proto.CodeOK || !read[proto.Privacy](t, carl.answers[0]).On {
			t.Errorf("answers: %+v", carl.answers)
		}
		for i, s := range live {
			if !s.over() || s.reason != string(proto.CodePrivacy) {
				t.Errorf("session %d: over %v, reason %q", i, s.over(), s.reason)
			}
		}
		if kinds := h.kinds(index); !slices.Contains(kinds, accesslog.KindPrivacy) {
			t.Errorf("log: %v", kinds)
		}
		carl.must(proto.OpPrivacy, proto.Privacy{On: true})
		if n := count(kindNames(h.kinds(index)), "privacy"); n != 1 {
			t.Errorf("on twice is logged %d times", n)
		}
		for _, p := range []*person{anna, bob, carl} {
			p.must(proto.OpStatus, nil)
			p.want(proto.CodeAtDevice, proto.OpPrivacy, proto.Privacy{})
		}
		h.deeds()
		h.restart()
		if got := h.deeds(); !slices.Equal(got, []string{"closed"}) {
			t.Errorf("at the start: %v", got)
		}
		anna.want(proto.CodePrivacy, proto.OpLive, view(proto.ScopeListen), in("s3"))
		if err := h.a.SetPrivacy(false); err != nil {
			t.Fatal(err)
		}
		if got := h.deeds(); !slices.Equal(got, []string{"opened"}) {
			t.Errorf("off: %v", got)
		}
		anna.watch("s4", proto.ScopeView)
		if e := h.entries(h.size() - 2)[0]; e.Kind != accesslog.KindPrivacy || e.Reason != accesslog.PrivacyOff || e.Network != accesslog.NetLocal {
			t.Errorf("entry: %+v", e)
		}
	})
}

// What the household chose at the device lets members with the scope settings switch
// it off, and no others.
func TestPrivacyOffByMembers(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, bob, carl, _ := h.household()
		if _, err := h.a.ChangeSettings(proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffMembers)}); err != nil {
			t.Fatal(err)
		}
		carl.must(proto.OpPrivacy, proto.Privacy{On: true})
		for _, p := range []*person{bob, carl} {
			p.must(proto.OpStatus, nil)
			p.want(proto.CodeScope, proto.OpPrivacy, proto.Privacy{}) // not only someone at the camera may
		}
		anna.must(proto.OpStatus, nil)
		h.deeds()
		h.withoutTrust(func() { // nothing opens before it is durable
			anna.want(proto.CodeStorage, proto.OpPrivacy, proto.Privacy{})
		})
		if got := h.deeds(); len(got) != 0 || !h.a.Settings().Privacy {
			t.Errorf("opened without being durable: %v", got)
		}
		anna.must(proto.OpPrivacy, proto.Privacy{})
		if got := h.deeds(); !slices.Equal(got, []string{"opened"}) {
			t.Errorf("off: %v", got)
		}
		carl.watch("s1", proto.ScopeView)
		anna.must(proto.OpSetSettings, proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffDevice)}) // narrower, from afar
		carl.must(proto.OpPrivacy, proto.Privacy{On: true})
		anna.must(proto.OpStatus, nil)
		anna.want(proto.CodeAtDevice, proto.OpPrivacy, proto.Privacy{})
	})
}

// A guest switches it on only while its right is in force; and where owners may switch
// it off, they may so after a guest that is not there to do it.
func TestPrivacyByAGuestThatRests(t *testing.T) {
	for name, c := range map[string]struct {
		grant func(*proto.Grant)
		rests func(h *house, anna *person)
		want  proto.Code
	}{
		"outside its hours": {weekly("Mo 08:00-17:00"), func(h *house, _ *person) { h.wall.set(noon.Add(9 * time.Hour)) }, proto.CodeSchedule},
		"after its end":     {between(0, noon.Add(time.Hour).Unix()), func(h *house, _ *person) { h.wall.set(noon.Add(9 * time.Hour)) }, proto.CodeExpired},
		"clock unknown":     {weekly("Mo 08:00-17:00"), func(h *house, _ *person) { h.wall.unsynchronise(true) }, proto.CodeClock},
		"suspended": {func(*proto.Grant) {}, func(h *house, _ *person) {
			h.wall.set(noon.Add(31 * 24 * time.Hour))
			time.Sleep(31 * 24 * time.Hour)
		}, proto.CodeSuspended},
	} {
		t.Run(name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				anna := h.owner("Anna")
				if _, err := h.a.ChangeSettings(proto.SettingsChange{PrivacyOff: new(proto.PrivacyOffMembers)}); err != nil {
					t.Fatal(err)
				}
				anna.must(proto.OpStatus, nil)
				carl := anna.lets("Carl", proto.RoleGuest, c.grant)
				carl.must(proto.OpPrivacy, proto.Privacy{On: true}) // positive control
				c.rests(h, anna)
				carl.want(c.want, proto.OpPrivacy, proto.Privacy{})
				anna.must(proto.OpStatus, nil)
				anna.must(proto.OpPrivacy, proto.Privacy{})
				if name == "suspended" { // Anna has been heard
					c.rests(h, anna)
				}
				carl.want(c.want, proto.OpPrivacy, proto.Privacy{On: true})
				if h.a.Settings().Privacy {
					t.Error("a guest whose right rests has switched privacy mode on")
				}
			})
		})
	}
}

// The button closes at once, whatever else is being changed, and does the other thing
// each time.
func TestPrivacyButton(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		anna, _, carl, dora := h.household()
		s := anna.watch("s1", proto.ScopeView)
		h.linger = make(chan struct{})
		dora.watch("s1", proto.ScopeView)
		h.deliver()
		h.held = make(chan string, 8)
		anna.send(anna.request(proto.OpRevoke, proto.Revoke{Client: dora.id})) // which waits for its last packet
		synctest.Wait()
		pressed := make(chan error, 1)
		go func() {
			_, err := h.a.TogglePrivacy()
			pressed <- err
		}()
		// While someone waits for a mutex time stands still, so it is these that show that
		// the revocation is not waited for.
		<-s.ended
		if e := <-h.held; e != "closed" {
			t.Errorf("the capture devices are %s", e)
		}
		close(h.linger)
		if err := <-pressed; err != nil {
			t.Error(err)
		}
		h.deliver()
		carl.want(proto.CodePrivacy, proto.OpLive, view(proto.ScopeView), in("s2"))
		if on, err := h.a.TogglePrivacy(); on || err != nil {
			t.Errorf("pressed again: on %v, %v", on, err)
		}
		carl.watch("s3", proto.ScopeView)
	})
}
