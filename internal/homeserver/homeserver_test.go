package homeserver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "camd-household")
	s, err := Create(dir, "cameras.example.org", Page{Config: []byte("{}"), Headers: [][2]string{{"A", "b 'c'"}, {"D", "e"}}})
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, s.Path("pki")) {
			return err
		}
		text, err := os.ReadFile(path)
		for _, left := range []string{"HOSTNAME", "SECRET", "HEADERS"} {
			if strings.Contains(string(text), left) {
				t.Errorf("%s still has %s", path, left)
			}
		}
		if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(s.Path("server", "Caddyfile")); err != nil || !strings.Contains(string(text), "\t\t\tA \"b 'c'\"\n\t\t\tD \"e\"\n") {
		t.Errorf("the Caddyfile lacks the page's headers (%v):\n%s", err, text)
	}
	secret, err := ReadSecret(s.Path("server", "turn.secret"))
	conf, err2 := os.ReadFile(s.Path("server", "turnserver.conf"))
	if err != nil || err2 != nil || !strings.Contains(string(conf), "static-auth-secret="+secret+"\n") {
		t.Errorf("coturn has another secret than credentials are made of (%v, %v)", err, err2)
	}
	if _, err := Create(dir, "cameras.example.org", Page{}); err == nil || !strings.Contains(err.Error(), "keep it") {
		t.Errorf("a second time: %v", err)
	}
}

func TestCheckHost(t *testing.T) {
	for _, host := range []string{"", "localhost", "192.0.2.1", "2001:db8::1", "a b.example", "x.example:443", "https://x.example", "*.example.org", "x.example{", "x.example\n"} {
		if CheckHost(host) == nil {
			t.Errorf("%q is taken", host)
		}
	}
	if err := CheckHost("cameras.example.org"); err != nil {
		t.Error(err)
	}
}

// The vector is what coturn's turnadmin takes: HMAC-SHA-1 of the user name, by openssl.
func TestNewCredentials(t *testing.T) {
	c, err := NewCredentials("correct horse battery", "t.example", "anna", time.Unix(1800000000, 0))
	if err != nil || c.UserName != "1800000000:anna" || c.Credential != "+OS2lipJx/utCvCrDwASJw5VrqQ=" || c.URLs[0] != "turn:t.example:3478?transport=udp" {
		t.Errorf("%+v, %v", c, err)
	}
	for name, secret := range map[string]string{"": "correct horse battery", "a:b": "correct horse battery", "a b": "correct horse battery", "anna": "short"} {
		if _, err := NewCredentials(secret, "t.example", name, time.Now()); err == nil {
			t.Errorf("credentials of %q by %q", name, secret)
		}
	}
}

func TestCredentialsAreForMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logins.json")
	logins, err := newLogins("anna", "right")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, logins, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &Handler{Secret: "correct horse battery", Host: "t.example", Logins: path, Log: slog.New(slog.DiscardHandler)}
	ask := func(method, user, password string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/turn", nil)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		method, user, password string
		want                   int
	}{
		{http.MethodGet, "anna", "right", 200},
		{http.MethodGet, "anna", "wrong", 401},
		{http.MethodGet, "anna", "", 401},
		{http.MethodGet, "ben", "right", 401},
		{http.MethodGet, "", "", 401},
		{http.MethodPost, "anna", "right", 405},
	} {
		w := ask(c.method, c.user, c.password)
		if w.Code != c.want || (w.Code == 200) != strings.Contains(w.Body.String(), `"password"`) {
			t.Errorf("%s %s:%s: %d, %s", c.method, c.user, c.password, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("the answer may be stored")
		}
	}
	var got Credentials
	if err := json.Unmarshal(ask(http.MethodGet, "anna", "right").Body.Bytes(), &got); err != nil || !strings.HasSuffix(got.UserName, ":anna") || got.Seconds < 12*3600-60 {
		t.Errorf("%+v, %v", got, err)
	}
	disabled := strings.Replace(string(logins), `"iterations"`, `"disabled": true, "iterations"`, 1)
	for text, want := range map[string]int{disabled: 401, "{": 500, `{"clients":[{"username":"anna","iterations":2000000000}]}`: 401} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if w := ask(http.MethodGet, "anna", "right"); w.Code != want {
			t.Errorf("with %.20s: %d, want %d", text, w.Code, want)
		}
	}
}
