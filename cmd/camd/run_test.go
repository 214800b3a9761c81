package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A service manager may stop camd while it still looks at its stores.
func TestASignalWhileItStarts(t *testing.T) {
	dir := t.TempDir()
	state, config := filepath.Join(dir, "state"), filepath.Join(dir, "camd.toml")
	text := fmt.Sprintf("[device]\nstate = %q\nsocket = %q\n[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"tone\"\n", state, filepath.Join(dir, "s"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := execute(t.Context(), []string{"factory", "init", "--config", config}, &out, &out); code != 0 {
		t.Fatalf("factory init ends with %d: %s", code, &out)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for range 2 { // the second time there are stores to look at
		out.Reset()
		if code := execute(stopped, []string{"run", "--config", config}, &out, &out); code != 0 {
			t.Errorf("run ends with %d: %s", code, &out)
		}
	}
}
