package lab

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
)

const tpmPort = 2321

// TestTPMOfTheKernel: the identity lies in a TPM that the kernel's own driver and resource
// manager give, at /dev/tpmrm0. The chip alone is emulated. camd logs in to its broker with
// it and pairs, while another process uses the TPM, too.
func TestTPMOfTheKernel(t *testing.T) {
	need(t, ARM64.QEMU[0])
	chip := tpmtest.New(t)
	h := newHousehold(t)
	h.serveTPM(chip)
	const tables = "[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"off\"\n"
	h.Guest = boot(t, ARM64, h.net, Archive{
		"bin/camd":        {0o755, read(t, release(t, "camd", ARM64))},
		"bin/camctl":      {0o755, read(t, release(t, "camctl", ARM64))},
		"bin/tpmrelay":    {0o755, read(t, program(t, ARM64, "./tpmrelay"))},
		configPath[1:]:    {0o644, []byte(configuration(tables))},
		"etc/camd/ca.pem": {0o644, h.ca.PEM()},
	}, nil, "tpm_vtpm_proxy")

	r, err := h.Run(patient(t), "/bin/camd", "factory", "init", "--tpm", "require", "--config", configPath)
	must(t, err)
	if r.Exit != 1 || !strings.Contains(string(r.Stderr), "there is no TPM at /dev/tpmrm0") {
		t.Errorf("without a TPM: exit %d, %s", r.Exit, r.Stderr)
	}
	must(t, h.Start(patient(t), "tpmrelay", "/bin/tpmrelay", tpmAddress()))
	eventually(t, "the kernel has a TPM", func() bool {
		found, err := h.Glob(patient(t), "/dev/tpmrm0")
		must(t, err)
		return len(found) == 1
	})
	h.unitLetsThrough("tpmrm/tpmrm0", "tpm")
	h.label = h.factory("require")
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	h.condition("broker", "ok")
	h.pair()
	for range 3 { // beside camd's own use
		r, err := h.Run(patient(t), "/bin/camd", "check", "--config", configPath)
		must(t, err)
		if !strings.Contains(string(r.Stdout), "its key is in a TPM (class C2)") {
			t.Errorf("camd check says\n%s%s", r.Stdout, r.Stderr)
		}
	}
	h.stop()
	must(t, h.Start(patient(t), "camd", "/bin/camd", "run", "--config", configPath))
	h.condition("broker", "ok")
	h.stop()
}

// unitLetsThrough shows that a device of a class, which the image's udev gives to camd, is
// of the kind that DeviceAllow=char-… of camd's unit names.
func (h *household) unitLetsThrough(device, kind string) {
	h.t.Helper()
	number, err := h.Get(patient(h.t), "/sys/class/"+device+"/dev")
	must(h.t, err)
	kinds, err := h.Get(patient(h.t), "/proc/devices")
	must(h.t, err)
	major, _, _ := strings.Cut(string(number), ":")
	characters, _, _ := strings.Cut(string(kinds), "Block devices:")
	for line := range strings.Lines(characters) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == major && f[1] == kind {
			return
		}
	}
	h.t.Errorf("%s has the number %s, which is not of char-%s:\n%s", device, number, kind, characters)
}

func tpmAddress() string { return netip.AddrPortFrom(HostAddress.Addr(), tpmPort).String() }

// serveTPM gives the guest the emulator, at tpmAddress.
func (h *household) serveTPM(chip *tpmtest.TPM) {
	h.t.Helper()
	var l net.Listener
	var err error
	h.net.Do(func() { l, err = net.Listen("tcp", tpmAddress()) })
	must(h.t, err)
	guests, served := make(chan net.Conn, 1), make(chan struct{})
	go func() {
		defer close(served)
		guest, err := l.Accept()
		if err != nil {
			return // the test ended before
		}
		guests <- guest
		emulator, err := net.Dial("unix", chip.Path)
		if err != nil {
			h.t.Errorf("reach swtpm: %v", err)
			return
		}
		go func() { _, _ = io.Copy(guest, emulator) }() // ends with either of the two
		_, _ = io.Copy(emulator, guest)
		_ = emulator.Close()
	}()
	h.t.Cleanup(func() {
		_ = l.Close()
		select {
		case guest := <-guests: // which went without a word
			_ = guest.Close()
		default:
		}
		<-served
	})
}
