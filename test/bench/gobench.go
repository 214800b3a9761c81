package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
)

var benchLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(\S+) ns/op`)

// gobench runs a package's benchmarks, on another architecture by an emulator, and
// returns how many milliseconds each operation takes.
func (b *bench) gobench(pkg, pattern string, times int, env ...string) (map[string]float64, error) {
	cmd := exec.CommandContext(b.ctx, "go", "test", "-run=^$", "-bench="+pattern, fmt.Sprintf("-benchtime=%dx", times), pkg) //nolint:gosec // constants
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("benchmarks of %s: %w\n%s", pkg, err, out)
	}
	all := map[string]float64{}
	for _, m := range benchLine.FindAllStringSubmatch(string(out), -1) {
		ns, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		all[m[1]] = ns / 1e6
	}
	return all, nil
}

// requests measures what a request, an entry and its notices cost the device.
func (b *bench) requests() error {
	for range b.Rounds {
		l, err := b.gobench("./pkg/auth/accesslog", "Append", 100)
		if err != nil {
			return err
		}
		a, err := b.gobench("./pkg/auth", "Answer|Notice", 200)
		if err != nil {
			return err
		}
		b.report.pair("durable entry with its tree (baseline: its text alone, one bbolt commit)", "ms", l["Append"], l["AppendBare"])
		b.report.pair("request that changes nothing, from sealed to sealed, with proofs (baseline: the same commit)", "ms", a["Answer"], l["AppendBare"])
		for _, n := range []string{"8", "64"} {
			b.report.pair("notice of an entry to "+n+" members (baseline: to one)", "ms", a["Notice/"+n], a["Notice/1"])
		}
		if err := b.emulated(); err != nil {
			return err
		}
	}
	return nil
}

// emulated compares a request on the two architectures that camd is built for. Both
// are emulated: the ratio tells something, the times nothing.
func (b *bench) emulated() error {
	var took []float64
	for _, a := range [][2]string{{"arm", "qemu-arm-static"}, {"arm64", "qemu-aarch64-static"}} {
		if _, err := exec.LookPath(a[1]); err != nil {
			fmt.Fprintln(os.Stderr, "   nothing about armv7: qemu-user-static is not installed")
			return nil //nolint:nilerr // it was said
		}
		all, err := b.gobench("./pkg/auth", "Answer", 50, "GOARCH="+a[0], "GOARM=7", "GOFLAGS=-exec="+a[1])
		if err != nil {
			return err
		}
		took = append(took, all["Answer"])
	}
	b.report.pair("the same request on armv7 (baseline: on arm64), both emulated", "ms", took[0], took[1])
	return nil
}
