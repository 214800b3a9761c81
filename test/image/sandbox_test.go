package image

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// exposure is what systemd-analyze security gave when camd's unit was last looked at, in
// tenths; docs/operations.md says what it consists of.
const exposure = 19

// The sandbox does not get worse unnoticed.
func TestSandbox(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("this machine lacks systemd-analyze")
	}
	unit := filepath.Join(top, "docs/systemd/camd.service")
	out, err := run(t.Context(), analyze, "security", "--offline=true", "--no-pager", unit)
	must(t, err)
	m := regexp.MustCompile(`Overall exposure level for camd\.service: (\d+)\.(\d)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze says\n%s", out)
	}
	if got, err := strconv.Atoi(m[1] + m[2]); err != nil || got > exposure {
		t.Errorf("the exposure is %s.%s, and was %d.%d:\n%s", m[1], m[2], exposure/10, exposure%10, out)
	}
	// systemd-analyze gives these no weight.
	for _, line := range []string{"SocketBindDeny=any", "SocketBindAllow=ipv4:udp", "SocketBindAllow=ipv6:udp", "WatchdogSec=60", "LimitCORE=0"} {
		if !slices.Contains(strings.Split(string(read(t, unit)), "\n"), line) {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if docs, want := string(read(t, "../../docs/operations.md")), fmt.Sprintf("%d.%d", exposure/10, exposure%10); !strings.Contains(docs, "exposure level "+want) {
		t.Errorf("docs/operations.md does not name the exposure level %s", want)
	}
}
