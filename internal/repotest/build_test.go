package repotest

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// What is shipped is what was tested: whoever names the build's tags names the same ones.
func TestEveryBuildHasTheSameTags(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "grep", "-hoE", `netgo,[a-z0-9,]*`, "--", "Makefile", "scripts", "test", "buildroot").Output()
	if err != nil {
		t.Fatalf("git grep: %v", err)
	}
	lists := strings.Fields(string(out))
	if len(lists) < 3 {
		t.Fatalf("found the tags only in %q", lists)
	}
	extra := regexp.MustCompile(`,lab$`) // tests on the lab's devices
	for _, l := range lists {
		if l = extra.ReplaceAllString(l, ""); l != "netgo,osusergo,nomicrophone" {
			t.Errorf("a build with the tags %s", l)
		}
	}
}
