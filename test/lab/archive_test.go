package lab

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

func sample() Archive {
	a := Archive{}
	a.Add("lib/modules/one.ko", 0o644, []byte("module"))
	a.Add("init", 0o755, []byte("#!"))
	a.Folder("dev")
	return a
}

// golden is sample() as GNU cpio reads it, checked by hand against the kernel's
// description: 110-byte header, name, padding, data, padding.
var golden = strings.Join([]string{
	"070701" + "00000001" + "000041ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\x00\x00\x00",
	"070701" + "00000002" + "000081ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000002" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000005" + "00000000" + "init\x00\x00" + "#!\x00\x00",
	"070701" + "00000003" + "000041ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "lib\x00\x00\x00",
	"070701" + "00000004" + "000041ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "0000000c" + "00000000" + "lib/modules\x00\x00\x00",
	"070701" + "00000005" + "000081a4" + "00000000" + "00000000" + "00000001" + "00000000" + "00000006" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000013" + "00000000" + "lib/modules/one.ko\x00\x00\x00\x00" + "module\x00\x00",
	"070701" + "00000000" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "0000000b" + "00000000" + "TRAILER!!!\x00\x00\x00\x00",
}, "")

func TestArchiveBytes(t *testing.T) {
	var b bytes.Buffer
	if err := sample().Write(&b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != golden {
		t.Errorf("\n got %q\nwant %q", got, golden)
	}
}

func TestArchiveIsReadByCpio(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("no cpio here")
	}
	cmd := exec.Command("cpio", "-t", "--quiet")
	cmd.Stdin = strings.NewReader(golden)
	out, err := cmd.CombinedOutput()
	if want := "dev\ninit\nlib\nlib/modules\nlib/modules/one.ko\n"; err != nil || string(out) != want {
		t.Errorf("%v, %q, want %q", err, out, want)
	}
}
