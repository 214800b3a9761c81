package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type server struct {
	URLs []string `toml:"urls"`
	Port int      `toml:"port" allow:"0..65535"`
}

type inner struct {
	Kind    string   `toml:"kind" allow:"auto|raw"`
	Rate    int      `toml:"rate" allow:"1..120"`
	Gain    float64  `toml:"gain" allow:"0..1.5"`
	Flip    bool     `toml:"flip"`
	Servers []server `toml:"servers"`
}

type outer struct {
	Name  string `toml:"name"`
	Video inner  `toml:"video"`
}

func valid() outer { return outer{Name: "x", Video: inner{Kind: "auto", Rate: 15}} }

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown key": {"name = \"a\"\n[video]\nrat = 3\n",
			[]string{`f:3: unknown key "video.rat"; allowed here: kind, rate, gain, flip, servers`}},
		"unknown table": {"\n[vdeo]\nrate = 3\n", []string{
			`f:2: unknown key "vdeo"; allowed here: name, video`,
			`f:3: unknown key "vdeo.rate"; allowed here: name, video`}},
		"out of range": {"[video]\nrate = 0\nkind = \"h265\"\ngain = 2.0", []string{
			`f:2: video.rate must be a whole number from 1 to 120, not 0`,
			`f:3: video.kind must be one of "auto", "raw", not "h265"`,
			`f:4: video.gain must be a number from 0 to 1.5, not 2`}},
		"wrong type": {"[video]\nrate = \"fast\"\n",
			[]string{`f:2: video.rate must be a whole number from 1 to 120; the line says: rate = "fast"`}},
		"wrong bool": {"[video]\nflip = 1\n",
			[]string{`f:2: video.flip must be true or false; the line says: flip = 1`}},
		"in an array of tables": {"[[video.servers]]\nport = 1\n[[video.servers]]\nport = 70000\nhost = \"a\"\n",
			[]string{`f:4: video.servers.1.port must be a whole number from 0 to 65535, not 70000`,
				`f:5: unknown key "video.servers.host"; allowed here: urls, port`}},
		"range in an array of tables": {"[[video.servers]]\nport = 1\n[[video.servers]]\nport = 70000\n",
			[]string{`f:4: video.servers.1.port must be a whole number from 0 to 65535, not 70000`}},
		"range in inline tables": {"[video]\nservers = [{port = 1},\n {port = 70000}]\n",
			[]string{`f:3: video.servers.1.port must be a whole number from 0 to 65535, not 70000`}},
		"unknown in inline": {"video = {kind = \"raw\", hue = 1}\n",
			[]string{`f:1: unknown key "video.hue"; allowed here: kind, rate, gain, flip, servers`}},
	} {
		t.Run(name, func(t *testing.T) {
			v := valid()
			var got []string
			for _, p := range parse([]byte(c.text), &v) {
				p.File = "f"
				got = append(got, p.String())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("problems:\n%q\nwant:\n%q", got, c.want)
			}
		})
	}
}

func TestParseNamesTheLineOfASyntaxError(t *testing.T) {
	v := valid()
	p := parse([]byte("name = \"a\"\n[video\n"), &v)
	if len(p) != 1 || p[0].Line != 2 {
		t.Errorf("problems = %v, want one on line 2", p)
	}
}

func TestParseKeepsDefaultsOfWhatIsLeftOut(t *testing.T) {
	v := valid()
	if p := parse([]byte("[video]\nkind = \"raw\"\n"), &v); p != nil {
		t.Fatal(p)
	}
	if v.Name != "x" || v.Video.Rate != 15 || v.Video.Kind != "raw" {
		t.Errorf("got %+v", v)
	}
}

func TestExampleEqualsDefaults(t *testing.T) {
	const shipped = "../../camd.example.toml"
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Example() {
		t.Errorf("%s is not what `camd config` prints: run `make example`", shipped)
	}
	got, err := Load(shipped)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, Default()) {
		t.Errorf("the example gives\n%+v\nwant the defaults\n%+v", got, Default())
	}
}

func TestEveryKeyIsDocumentedAndEveryDefaultAllowed(t *testing.T) {
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for _, f := range fields(v.Type()) {
			if f.key == "" || f.doc == "" {
				t.Errorf("%s%s: toml tag %q, doc tag %q: both must be set", prefix, v.Type().Field(f.index).Name, f.key, f.doc)
			}
			switch fv := v.Field(f.index); {
			case f.typ.Kind() == reflect.Struct:
				walk(prefix+f.key+".", fv)
			case !f.accepts(fv):
				t.Errorf("%s%s: default %v is not allowed", prefix, f.key, fv)
			}
		}
	}
	walk("", reflect.ValueOf(Default()))
}

func TestLoadSaysWhyAFileCantBeRead(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	if err == nil || !strings.Contains(err.Error(), "none.toml: there is no such file: camd config prints one") {
		t.Errorf("Load(missing) = %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[video]\nrate = 3\n"))
	f.Add([]byte("[[video.servers]]\nport = 1\n[video]\nservers = [{port = 2}]"))
	f.Add([]byte("video = 3\nvideo.rate = [1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v := valid()
		if p := parse(text, &v); len(p) > 0 {
			return
		}
		if v.Video.Rate < 1 || v.Video.Rate > 120 || (v.Video.Kind != "auto" && v.Video.Kind != "raw") {
			t.Errorf("accepted %q as %+v", text, v)
		}
	})
}
