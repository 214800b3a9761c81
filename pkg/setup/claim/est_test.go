package claim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/setup/claim/claimtest"
)

func newEST(t *testing.T, s *claimtest.Server) *EST {
	t.Helper()
	e, err := NewEST(s.URL, s.Root.PEM())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newRequest(t *testing.T) (Wanted, []byte, tls.Certificate) {
	t.Helper()
	key := newKey(t)
	request, err := Request(device, key)
	if err != nil {
		t.Fatal(err)
	}
	return Wanted{device, key.Public(), clock(time.Now(), true)}, request, tls.Certificate{PrivateKey: key}
}

// From the one-time password to a certificate, and from that to the next one, also after
// its end.
func TestEnrolment(t *testing.T) {
	s := claimtest.NewServer(t)
	e := newEST(t, s)
	s.Password("camera", "once")
	wanted, request, present := newRequest(t)
	chain, err := e.Enroll(t.Context(), request, "camera", "once")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := wanted.Judge(chain)
	if err != nil || len(chain) != 2 || string(chain[1]) != string(s.Signs.Certificate.Raw) {
		t.Fatalf("the chain has %d certificates: %v", len(chain), err)
	}
	if _, err := e.Enroll(t.Context(), request, "camera", "once"); err == nil || !strings.Contains(err.Error(), "rejects the one-time password") {
		t.Errorf("the password for the second time: %v", err)
	}
	for _, age := range []string{"good", "ended"} {
		present.Certificate = chain
		if age == "ended" {
			old := good()
			old.NotBefore, old.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
			old.RawSubject = leaf.RawSubject
			present = s.Signs.Sign(t, old, nil)
		}
		next := newKey(t)
		again, err := requestFor(device, next, leaf.RawSubject)
		if err != nil {
			t.Fatal(err)
		}
		renewed, err := e.Reenroll(t.Context(), again, present)
		if err != nil {
			t.Fatalf("%s: %v", age, err)
		}
		if _, err := (Wanted{device, next.Public(), clock(time.Now(), true)}).Judge(renewed); err != nil {
			t.Errorf("%s: %v", age, err)
		}
	}
	foreign := claimtest.NewAuthority(t, "foreign", nil).Sign(t, good(), nil)
	if _, err := e.Reenroll(t.Context(), request, foreign); err == nil || !strings.Contains(err.Error(), "rejects the camera's certificate") {
		t.Errorf("by another authority's certificate: %v", err)
	}
}

func TestTheServerWantsToBeAskedLater(t *testing.T) {
	s := claimtest.NewServer(t)
	e := newEST(t, s)
	_, request, _ := newRequest(t)
	for header, want := range map[string]time.Duration{
		"": minRetry, "nonsense": minRetry, "0": minRetry, "-5": minRetry, "60": time.Minute,
		"4294967295": maxRetry, "99999999999999999999": minRetry,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       minRetry,
		time.Now().Add(1000 * time.Hour).UTC().Format(http.TimeFormat): maxRetry,
	} {
		s.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			if header != "" {
				w.Header().Set("Retry-After", header)
			}
			w.WriteHeader(http.StatusAccepted)
			return true
		}
		_, err := e.Enroll(t.Context(), request, "a", "b")
		var later *RetryError
		var known *Problem
		if !errors.As(err, &later) || later.After != want || !errors.As(err, &known) {
			t.Errorf("%q: %v, after %v, want %v", header, err, later, want)
		}
	}
	if got := retryAfter("Fri, 02 Jan 1970 00:00:30 GMT", time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)); got != 30*time.Second {
		t.Errorf("a date 30 s away is %v", got)
	}
}

// Whatever a server answers, there is a sentence, and no certificate that is not the
// camera's.
func TestHostileServer(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		t.Errorf("%s was asked elsewhere by %q", r.URL, user)
	}))
	t.Cleanup(elsewhere.Close)
	other := claimtest.NewAuthority(t, "other", nil)
	with := func(status int, kind, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"a page":   {with(200, "text/html", "<p>hello"), "something else than certificates"},
		"no type":  {with(200, "", ""), "something else than certificates"},
		"garbage":  {with(200, typeChain, "garbage!"), "can't be read"},
		"nothing":  {with(200, typeChain, ""), "can't be read"},
		"too much": {with(200, typeChain, strings.Repeat("A", 10*maxAnswer)), "more than 64 KiB"},
		"a long header": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeader))
			return false
		}, "can't be reached"},
		"an authority": {func(w http.ResponseWriter, _ *http.Request) bool { claimtest.Answer(w, other.Certificate); return true }, "another key"},
		"another's": {func(w http.ResponseWriter, _ *http.Request) bool {
			claimtest.Answer(w, other.Sign(t, good(), nil).Leaf)
			return true
		}, "another key"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			return true
		}, "redirects"},
		"not there":    {with(404, "text/plain", "no"), "There is no enrolment at"},
		"forbidden":    {with(403, "text/plain", "no"), "one-time password"},
		"a refusal":    {with(400, "text/plain", "the camera\x1b[2J\nis \xff unknown"+strings.Repeat("!", 1000)), `(400: the camera\u001b[2J\u000ais \xff unknown`},
		"a silent one": {with(500, "text/html", "oops"), "(500)"},
		"hung up":      {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "can't be reached"},
		"half a body": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", typeChain)
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "MII")
			return true
		}, "can't be reached"},
		"no end of early answers": {func(w http.ResponseWriter, _ *http.Request) bool {
			for range 1000 {
				w.WriteHeader(http.StatusEarlyHints)
			}
			return false
		}, "can't be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			s := claimtest.NewServer(t)
			s.Password("camera", "once")
			s.Before = c.answer
			_, request, _ := newRequest(t)
			chain, err := newEST(t, s).Enroll(t.Context(), request, "camera", "once")
			var known *Problem
			if chain != nil || !errors.As(err, &known) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d certificates, %v, want %q", len(chain), err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "once") || len(err.Error()) > 700) {
				t.Errorf("it says too much: %v", err)
			}
		})
	}
}

// Certificates of others in the answer, in whatever number and order, change nothing.
func TestAnAnswerWithOthersInIt(t *testing.T) {
	s := claimtest.NewServer(t)
	s.Password("camera", "once")
	other := claimtest.NewAuthority(t, "issuing", nil) // the name of the one that signs
	wanted, request, _ := newRequest(t)
	asked, err := x509.ParseCertificateRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	leaf := s.Signs.Lasting(time.Hour).Issue(t, asked)
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "cacerts") {
			return false
		}
		claimtest.Answer(w, other.Certificate, s.Root.Certificate, leaf, s.Signs.Certificate)
		return true
	}
	chain, err := newEST(t, s).Enroll(t.Context(), request, "camera", "once")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wanted.Judge(chain); err != nil || len(chain) != 2 {
		t.Errorf("%d certificates, %v", len(chain), err)
	}
}

func TestWhoTheServerIs(t *testing.T) {
	s := claimtest.NewServer(t)
	s.Password("camera", "once")
	s.Before = func(http.ResponseWriter, *http.Request) bool { t.Error("it was asked"); return false }
	_, request, _ := newRequest(t)
	old := httptest.NewUnstartedServer(s)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	t.Cleanup(old.Close)
	for name, c := range map[string]struct {
		address string
		ca      []byte
		want    string
	}{
		"another authority": {s.URL, claimtest.NewAuthority(t, "other", nil).PEM(), "of another authority"},
		"another name":      {strings.Replace(s.URL, "127.0.0.1", "localhost", 1), s.Root.PEM(), "is for another name"},
		"TLS 1.2":           {old.URL, s.Root.PEM(), "does not offer TLS 1.3"},
		"nobody":            {"https://127.0.0.1:1", s.Root.PEM(), "can't be reached"},
	} {
		e, err := NewEST(c.address, c.ca)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Enroll(t.Context(), request, "camera", "once"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestASlowServer(t *testing.T) {
	s := claimtest.NewServer(t)
	s.Before = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	_, request, _ := newRequest(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if _, err := newEST(t, s).Enroll(ctx, request, "camera", "once"); err == nil || !strings.Contains(err.Error(), "does not answer in time") {
		t.Errorf("Enroll() = %v", err)
	}
}

func TestAddressOfAServer(t *testing.T) {
	ca := claimtest.NewAuthority(t, "root", nil).PEM()
	for address, want := range map[string]string{
		"https://est.example":                              "https://est.example/.well-known/est/simpleenroll",
		"https://est.example/":                             "https://est.example/.well-known/est/simpleenroll",
		"https://est.example:8443/.well-known/est":         "https://est.example:8443/.well-known/est/simpleenroll",
		"https://[::1]/.well-known/est/cameras":            "https://[::1]/.well-known/est/cameras/simpleenroll",
		"http://est.example":                               "",
		"est.example":                                      "",
		"https://":                                         "",
		"https:est.example":                                "",
		"https://user:secret@est.example":                  "",
		"https://est.example?x=1":                          "",
		"https://est.example#x":                            "",
		"https://est.example/elsewhere":                    "",
		"https://est.example/.well-known/est/../elsewhere": "",
		"https://est.example/.well-known/estates":          "",
		"https://est.example/.well-known/est/%2e%2e":       "",
		"https://est.example/" + strings.Repeat("x", 600):  "",
		"https://est.example\n/":                           "",
	} {
		e, err := NewEST(address, ca)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("it shows a password: %v", err)
			}
			continue
		}
		r, err := e.request(t.Context(), "simpleenroll", []byte{1})
		if err != nil || r.URL.String() != want {
			t.Errorf("%q: %v, %v", address, r.URL, err)
		}
	}
	if _, err := NewEST("https://est.example", []byte("no certificate")); err == nil {
		t.Error("a server that nothing is known of is taken")
	}
}
