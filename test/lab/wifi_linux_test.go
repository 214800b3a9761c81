package lab

import (
	"strings"
	"testing"
)

// TestRealRadiosKeepTheContract: what camd's made-up wpa_supplicant promises, the real one
// does, with real access points: WPA2, WPA3 and both, open ones, wrong passwords, access
// points that vanish, a wpa_supplicant that starts anew.
func TestRealRadiosKeepTheContract(t *testing.T) {
	need(t, ARM64.QEMU[0], ARM64.Compiler+"-gcc", ARM64.Compiler+"-g++")
	a := onAir(t, namespace(t), Archive{"bin/wifi": {0o755, read(t, testProgram(t, ARM64, "./pkg/setup/wifi"))}}, nil)
	must(t, a.Start(patient(t), "wifi", "/bin/wifi", "-test.v", "-test.failfast", "-test.run", "TestRealRadios"))
	for told := 0; ; {
		o, err := a.listen(patient(t), "wifi") // a line is due in that time
		must(t, err)
		said := a.Said("wifi")
		for ; told < len(said); told++ {
			if strings.Contains(said[told], "=== RUN") || strings.Contains(said[told], "--- ") {
				t.Log(strings.TrimSpace(said[told]))
			}
		}
		if o.Ended && len(o.Lines) == 0 {
			if o.Exit != 0 || !strings.Contains(strings.Join(said, "\n"), "--- PASS: TestRealRadios") {
				t.Fatalf("exit %d\n%s", o.Exit, strings.Join(said, "\n"))
			}
			return
		}
	}
}
