package repotest

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/camd-project/camd"
	root   = "../.."
)

// pkg is what `go list -json` tells of a package.
type pkg struct {
	ImportPath, Dir, Doc string
	GoFiles              []string
	Imports              []string
	TestImports          []string
	XTestImports         []string
}

func (p pkg) short() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var l []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return l
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		l = append(l, p)
	}
}

// under tells whether path is one of the folders or lies in one.
func under(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

// testFolder tells of packages that only tests may import.
func testFolder(path string) bool {
	return strings.HasSuffix(path, "test") || under(path, "test", "internal/repotest")
}

// quarantine names the only folders that may import a foreign library.
var quarantine = map[string][]string{
	"go.etcd.io/bbolt":                                  {"pkg/store"},
	"github.com/pion/webrtc/v4":                         {"pkg/live", "pkg/client"},
	"github.com/pion/ice/v4":                            {"pkg/live", "pkg/client"},
	"github.com/pion/dtls/v3":                           {"pkg/live", "pkg/client"},
	"github.com/pion/interceptor":                       {"pkg/live", "pkg/client"},
	"github.com/pion/turn/v5":                           {"internal/homeserver"},
	"github.com/pion/mediadevices":                      {"pkg/capture/h264", "pkg/audio/opus"},
	"github.com/pion/opus":                              {"pkg/audio/opus"},
	"github.com/eclipse/paho.mqtt.golang":               {"pkg/link", "pkg/client/broker"},
	"github.com/go-jose/go-jose/v4":                     {"pkg/auth/envelope", "pkg/auth/pairing"},
	"github.com/flynn/noise":                            {"pkg/auth/pairing"},
	"github.com/blackjack/webcam":                       {"pkg/capture/v4l2"},
	"github.com/mochi-mqtt/server/v2":                   {"internal/broker"},
	"github.com/gorilla/websocket":                      {"internal/broker", "cmd/camdemo", "pkg/client/broker"},
	"github.com/SherClockHolmes/webpush-go":             {"pkg/push"},
	"github.com/pelletier/go-toml/v2":                   {"pkg/config"},
	"github.com/tyler-smith/go-bip39":                   {"pkg/client/home"},
	"golang.org/x/mod/sumdb":                            {"pkg/auth/accesslog", "pkg/update/release", "internal/publish"},
	"github.com/transparency-dev/formats":               {"pkg/update/release", "internal/publish"},
	"github.com/google/go-tpm":                          {"pkg/auth/tpm"},
	"github.com/godbus/dbus/v5":                         {"pkg/update/rauc", "pkg/setup/ble", "pkg/setup/wifi", "pkg/client/ble"},
	"github.com/theupdateframework/go-tuf/v2":           {"pkg/update/catalog", "internal/publish"},
	"github.com/secure-systems-lab/go-securesystemslib": {"internal/publish"},
	"github.com/sigstore/sigstore":                      {"internal/publish"},
	"golang.org/x/text":                                 {"pkg/auth/naming"},
	"github.com/fxamacker/cbor/v2":                      {"pkg/setup/code"},
	"github.com/makiuchi-d/gozxing":                     {"pkg/setup/lens"},
	"golang.org/x/crypto/cryptobyte":                    {"pkg/setup/claim"},
}

func TestForeignLibrariesStayInQuarantine(t *testing.T) {
	for _, p := range list(t) {
		if testFolder(p.short()) {
			continue
		}
		for _, imp := range p.Imports {
			for lib, folders := range quarantine {
				if under(imp, lib) && !under(p.short(), folders...) {
					t.Errorf("%s imports %s, which only %v may", p.short(), imp, folders)
				}
			}
		}
	}
}

// services never import one another; leaves import nothing of ours but leaves.
var (
	services = []string{"pkg/capture", "pkg/audio", "pkg/auth", "pkg/link", "pkg/live", "pkg/panel", "pkg/event", "pkg/talk", "pkg/update", "pkg/setup", "pkg/push"}
	leaves   = []string{"pkg/proto", "pkg/media", "pkg/store", "pkg/health", "pkg/supervise", "pkg/foreign", "pkg/logging", "pkg/watchdog", "pkg/backoff"}
	// What both sides must read alike, or must not take from a broker, is shared.
	client = []string{"pkg/proto", "pkg/media", "pkg/auth/envelope", "pkg/auth/pairing", "pkg/auth/accesslog",
		"pkg/auth/naming", "pkg/auth/schedule", "pkg/link/mqttframe", "pkg/link/tlsend", "pkg/live/rtc", "pkg/foreign", "pkg/setup/code", "pkg/setup/frame", "pkg/client"}
)

// allowed lists the folders of ours that the package at path may import.
func allowed(path string) []string {
	switch {
	case under(path, leaves...):
		return leaves
	case under(path, services...):
		i := slices.IndexFunc(services, func(s string) bool { return under(path, s) })
		return append(slices.Clone(leaves), services[i])
	case under(path, "pkg/client"):
		return client
	case under(path, "pkg/config"):
		return append(slices.Clone(services), "pkg/config")
	case under(path, "internal"):
		// Who publishes releases and who installs them read them alike.
		return append(slices.Clone(leaves), "internal", "docs/mosquitto", "deploy", "pkg/update/release", "pkg/update/catalog")
	case under(path, "cmd"):
		return []string{"pkg", "internal", "web"}
	}
	return nil
}

func TestImportsRunOneWay(t *testing.T) {
	for _, p := range list(t) {
		if testFolder(p.short()) {
			continue
		}
		for _, imp := range p.Imports {
			ours, ok := strings.CutPrefix(imp, module+"/")
			if !ok {
				continue
			}
			if testFolder(ours) {
				t.Errorf("%s imports %s, which only tests may", p.short(), ours)
			} else if !under(ours, allowed(p.short())...) {
				t.Errorf("%s imports %s; it may import only %v", p.short(), ours, allowed(p.short()))
			}
		}
	}
}

func TestLeavesImportOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range list(t) {
		if !under(p.short(), leaves...) || testFolder(p.short()) {
			continue
		}
		for _, imp := range p.Imports {
			first, _, _ := strings.Cut(imp, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imp, module) && (p.short() != "pkg/store" || !under(imp, "go.etcd.io/bbolt")) {
				t.Errorf("the leaf %s imports %s", p.short(), imp)
			}
		}
	}
}

func TestOnlyCommandsImportConfig(t *testing.T) {
	for _, p := range list(t) {
		if slices.Contains(p.Imports, module+"/pkg/config") && !under(p.short(), "cmd") {
			t.Errorf("%s imports pkg/config, which only commands may", p.short())
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 30 {
			t.Errorf("%s has no package comment, or none that says anything: %q", p.short(), p.Doc)
		}
	}
}

// TestCamdListensOnNothing looks for every call that could open a port in what
// camd is made of. Two places are allowed: the Unix socket, once, and ICE's
// sockets in pkg/live, made with the first authorised session.
func TestCamdListensOnNothing(t *testing.T) {
	unixSocket := 0
	eachGoFile(t, func(path string, f *ast.File, set *token.FileSet) {
		if !under(path, "cmd/camd", "pkg") || under(path, "pkg/live", "pkg/client") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !opens(sel) {
				return true
			}
			if path == "cmd/camd/socket.go" && unixLiteral(call) {
				unixSocket++
				return true
			}
			t.Errorf("%s calls %s: camd listens on nothing", set.Position(call.Pos()), sel.Sel.Name)
			return true
		})
	})
	if unixSocket != 1 {
		t.Errorf("cmd/camd/socket.go opens %d Unix sockets, want 1", unixSocket)
	}
}

// opens tells of a call that could make a socket which others can reach.
func opens(sel *ast.SelectorExpr) bool {
	return strings.HasPrefix(sel.Sel.Name, "Listen") || sel.Sel.Name == "Bind" && isUnix(sel)
}

func isUnix(sel *ast.SelectorExpr) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && (x.Name == "unix" || x.Name == "syscall")
}

func unixLiteral(call *ast.CallExpr) bool {
	return slices.ContainsFunc(call.Args, func(a ast.Expr) bool {
		l, ok := a.(*ast.BasicLit)
		return ok && l.Value == `"unix"`
	})
}

func TestNoFileIsLongerThan500Lines(t *testing.T) {
	eachGoFile(t, func(path string, f *ast.File, set *token.FileSet) {
		if n := set.Position(f.End()).Line; n > 500 {
			t.Errorf("%s has %d lines: what else lives in it?", path, n)
		}
	})
}

// eachGoFile parses every Go file of the product, tests aside.
func eachGoFile(t *testing.T, visit func(path string, f *ast.File, set *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || testFolder(filepath.ToSlash(filepath.Dir(rel))) {
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), f, set)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
