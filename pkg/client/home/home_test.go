package home

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	ids := make([]proto.ClientID, 8)
	for i := range ids { // all at once, as eight first uses
		wg.Go(func() { ids[i] = must(must(Open(dir)).Keys()).ID() })
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || !id.Valid() {
			t.Fatalf("different keys: %v", ids)
		}
	}
	st := must(os.Stat(filepath.Join(dir, "keys.json")))
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", st.Mode())
	}
	if left := must(os.ReadDir(dir)); len(left) != 2 {
		t.Errorf("the folder holds %v, want keys.json and cameras", left)
	}
}

func TestUnusableKeysAreLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		data, want string
		mode       os.FileMode
	}{
		"empty":      {"", "is damaged", 0o600},
		"not JSON":   {"keys", "is damaged", 0o600},
		"no key":     {`{"version":1,"signing":"AAAA","encryption":"AAAA"}`, "is damaged", 0o600},
		"newer":      {`{"version":2,"sealed":true}`, "newer version of camctl", 0o600},
		"no version": {`{"signing":"AAAA"}`, "is damaged", 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "keys.json")
			h := must(Open(dir))
			if err := os.WriteFile(path, []byte(c.data), c.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Keys(); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Keys() = %v, want %q and the path", err, c.want)
			}
			if got := must(os.ReadFile(path)); string(got) != c.data {
				t.Errorf("the file was changed to %q", got)
			}
		})
	}
}

func TestKeysThatOthersCanReadAreRefused(t *testing.T) {
	dir := t.TempDir()
	h := must(Open(dir))
	must(h.Keys())
	if err := os.Chmod(filepath.Join(dir, "keys.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Keys(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("Keys() = %v", err)
	}
}

func TestRecordIsFoundAgain(t *testing.T) {
	home, _, r := saved(t)
	r.Name = "Hall"
	if err := home.Save(r); err != nil {
		t.Fatal(err)
	}
	for _, which := range []string{"", "Hall", "hall", "Ｈａｌｌ", string(r.Device), string(r.Device[:4])} {
		got, err := home.Camera(which)
		if err != nil || got.Device != r.Device || got.Broker != r.Broker || got.Trio != r.Trio || got.Member != "Anna" {
			t.Errorf("Camera(%q) = %+v, %v", which, got, err)
		}
	}
	for _, which := range []string{"Garden", string(r.Device[:3])} {
		if _, err := home.Camera(which); !errors.Is(err, ErrNoCamera) || !strings.Contains(err.Error(), "Hall") {
			t.Errorf("Camera(%q) = %v", which, err)
		}
	}
	if st := must(os.Stat(home.file(r.Device, ".json"))); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600: it holds the broker's login", st.Mode())
	}
}

// A card can't bring a camera that is taken for another one.
func TestCamerasWhoseNamesLookAlike(t *testing.T) {
	home, _, r := saved(t)
	_, _, other := saved(t)
	r.Name, other.Name = "Hall", "HaII"
	for _, one := range []Record{r, other} {
		if err := home.Save(one); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := home.Camera("Hall"); !errors.Is(err, ErrNoCamera) || !strings.Contains(err.Error(), string(r.Device)) || !strings.Contains(err.Error(), string(other.Device)) {
		t.Errorf("Hall, or HaII: %v", err)
	}
}

func TestNoCameraSaysWhatToDo(t *testing.T) {
	if _, err := must(Open(t.TempDir())).Camera(""); !errors.Is(err, ErrNoCamera) || !strings.Contains(err.Error(), "camctl pair") {
		t.Errorf("Camera() = %v", err)
	}
}

func TestBrokenRecordHidesNoOther(t *testing.T) {
	home, _, r := saved(t)
	bad := home.file(proto.NewDeviceID(), ".json")
	if err := os.WriteFile(bad, []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	good, err := home.Cameras()
	if len(good) != 1 || good[0].Device != r.Device || err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("Cameras() = %v, %v", good, err)
	}
	if _, err := home.Camera("other"); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("Camera(other) = %v, want the broken file", err)
	}
}

func TestNewerRecordIsNotOverwritten(t *testing.T) {
	home, _, r := saved(t)
	path := home.file(r.Device, ".json")
	newer := []byte(`{"version":9,"treasure":1}`)
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := home.Save(r); !errors.Is(err, ErrNewer) {
		t.Errorf("Save = %v, want ErrNewer", err)
	}
	if got := must(os.ReadFile(path)); string(got) != string(newer) {
		t.Errorf("the file is now %s", got)
	}
}

func TestChangedRecordIsRefused(t *testing.T) {
	_, _, r := saved(t)
	_, _, other := saved(t)
	for name, change := range map[string]func(*Record){
		"device":   func(r *Record) { r.Device = other.Device },
		"identity": func(r *Record) { r.Identity = other.Identity },
		"no key":   func(r *Record) { r.Identity = []byte{1} },
		"trio":     func(r *Record) { r.Trio = other.Trio },
		"epoch":    func(r *Record) { r.Epoch++ },
		"form":     func(r *Record) { r.Device = "../../x" },
	} {
		changed := r
		change(&changed)
		data := must(json.Marshal(changed))
		if _, err := parseRecord("f", data, r.Device); err == nil {
			t.Errorf("%s: the changed record is accepted", name)
		}
	}
	if _, err := parseRecord("f", must(json.Marshal(r)), other.Device); err == nil {
		t.Error("a record under another device's name is accepted")
	}
}

func TestSequenceIsNeverLowered(t *testing.T) {
	h, _, r := saved(t)
	s := must(OpenHousehold(h, r))
	for _, n := range []uint64{5, 3, 9} {
		if err := s.RaiseSequence(n); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Sequence(); got != 9 {
		t.Errorf("sequence %d, want 9", got)
	}
	if err := os.WriteFile(s.path(fileSequence), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.Sequence(); got != 0 {
		t.Errorf("sequence of junk is %d, want 0", got)
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/anna")
	t.Setenv("XDG_DATA_HOME", "/data")
	if got := must(DefaultDir()); got != "/data/camd" {
		t.Errorf("with XDG_DATA_HOME: %s", got)
	}
	t.Setenv("XDG_DATA_HOME", "relative/is/ignored")
	if got := must(DefaultDir()); got != "/home/anna/.local/share/camd" {
		t.Errorf("without: %s", got)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"device":"aaaaaaaaaaaaaaaaaaaaaaaaaa","identity":"AAAA","trio":"a.b.c","epoch":1,"broker":{"url":"mqtts://h"}}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRecord("f", data, "aaaaaaaaaaaaaaaaaaaaaaaaaa"); err == nil {
			t.Fatalf("accepted without a signature: %+v", r)
		}
		var k keysFile
		if parseVersioned("f", data, keysVersion, &k) == nil {
			_, _ = k.keys()
		}
	})
}

// A person reads of the file that was to be written, and not of the one beside it.
func TestErrorsHoldNoTemporaryName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(filepath.Join(path, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"over a folder":   replaceFile(path, []byte("x")),
		"in no folder":    replaceFile(filepath.Join(path, "no", "file"), []byte("x")),
		"beside one":      createFile(path, []byte("x")),
		"anew, no folder": createFile(filepath.Join(path, "no", "file"), []byte("x")),
	} {
		if err == nil || strings.ContainsAny(err.Error(), "/.") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := createFile(path, nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want ErrExist", err)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"first start": "first start", "a\nb\x1b[31m": "a b [31m", "\u202eabc": " abc", strings.Repeat("x", 300): strings.Repeat("x", maxPrintable),
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}
