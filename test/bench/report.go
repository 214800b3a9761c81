package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is what a run found. A row's figure is the median of its samples.
type report struct {
	When     time.Time
	Took     time.Duration
	Plan     plan
	Machine  string
	Load     [2]string // /proc/loadavg at the beginning and at the end
	Versions []string
	Rows     []*row
}

type row struct {
	Figure string
	Unit   string
	// Samples of camd and of the baseline: a plain pion sender, unless Figure names
	// another, or its like without what the figure names.
	Camd, Baseline []float64
}

func (r *report) begin(p plan, camd string) {
	r.When, r.Plan = time.Now(), p
	r.Machine = fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), processor(), line("/proc/sys/kernel/osrelease"), runtime.GOARCH)
	r.Load[0] = line("/proc/loadavg")
	r.Versions = []string{runtime.Version()}
	if out, err := exec.Command(camd, "version").Output(); err == nil { //nolint:gosec // the operator's own
		r.Versions = append(r.Versions, strings.TrimSpace(string(out)))
	}
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if name, ok := strings.CutPrefix(d.Path, "github.com/pion/"); ok && slices.Contains([]string{"webrtc/v4", "ice/v4", "srtp/v3", "interceptor"}, name) {
			r.Versions = append(r.Versions, "pion/"+name+" "+d.Version)
		}
	}
}

func (r *report) end() {
	r.Took = time.Since(r.When).Round(time.Second)
	r.Load[1] = line("/proc/loadavg")
}

func line(path string) string {
	b, _ := os.ReadFile(path) //nolint:gosec // in /proc
	return strings.TrimSpace(string(b))
}

func processor() string {
	for l := range strings.Lines(line("/proc/cpuinfo")) {
		if name, ok := strings.CutPrefix(l, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return "unknown processor"
}

// find returns a row, an empty one if there is none.
func (r *report) find(figure string) *row {
	for _, x := range r.Rows {
		if x.Figure == figure {
			return x
		}
	}
	return &row{Figure: figure}
}

// add adds a sample; kind is "camd", everything else is the baseline.
func (r *report) add(kind, figure, unit string, v float64) {
	x := r.find(figure)
	if x.Unit = unit; len(x.Camd)+len(x.Baseline) == 0 {
		r.Rows = append(r.Rows, x)
	}
	if kind == "camd" {
		x.Camd = append(x.Camd, v)
	} else {
		x.Baseline = append(x.Baseline, v)
	}
}

// pair adds a sample with its baseline.
func (r *report) pair(figure, unit string, camd, baseline float64) {
	r.add("camd", figure, unit, camd)
	r.add("baseline", figure, unit, baseline)
}

// step adds a row of differences, divided by n: what each one more costs.
func (r *report) step(figure, unit, from, to string, n float64) {
	a, b := r.find(from), r.find(to)
	for i := range a.Camd {
		r.add("camd", figure, unit, (b.Camd[i]-a.Camd[i])/n)
	}
	for i := range a.Baseline {
		r.add("plain", figure, unit, (b.Baseline[i]-a.Baseline[i])/n)
	}
}

func median(l []float64) float64 {
	s := slices.Sorted(slices.Values(l))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// print writes a table in Markdown.
func (r *report) print(w io.Writer) error {
	fmt.Fprintf(w, "%s, %v; %s; load %s, at the end %s\n", r.When.Format("2006-01-02 15:04"), r.Took, r.Machine, r.Load[0], r.Load[1])
	fmt.Fprintf(w, "%s\n", strings.Join(r.Versions, ", "))
	fmt.Fprintf(w, "medians of %d rounds of %v each; %d sessions\n\n", r.Plan.Rounds, r.Plan.Window, r.Plan.Sessions)
	fmt.Fprintf(w, "| figure | camd | baseline | ratio |\n|---|---:|---:|---:|\n")
	for _, x := range r.Rows {
		ratio := "–"
		if len(x.Camd) > 0 && len(x.Baseline) > 0 && median(x.Baseline) > 0 {
			ratio = fmt.Sprintf("%.2f", median(x.Camd)/median(x.Baseline))
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s |\n", x.Figure, x.text(x.Camd), x.text(x.Baseline), ratio); err != nil {
			return err
		}
	}
	return nil
}

func (x *row) text(l []float64) string {
	if len(l) == 0 {
		return "–"
	}
	m := median(l)
	switch {
	case m >= 100 || m == float64(int(m)):
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", m, x.Unit))
	case m >= 10 || m <= -10:
		return strings.TrimSpace(fmt.Sprintf("%.1f %s", m, x.Unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", m, x.Unit))
}

// sizes tells how large the programs are that lie beside the measured one, and
// those of make release.
func (b *bench) sizes() error {
	paths := []string{b.camd, filepath.Join(filepath.Dir(b.camd), "camctl")}
	released, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(b.camd)), "dist", "cam*-linux-*"))
	if err != nil {
		return err
	}
	for _, p := range append(paths, released...) {
		info, err := os.Stat(p)
		if err != nil {
			continue // not built
		}
		b.report.add("camd", "size of "+filepath.Base(p), "MB", float64(info.Size())/1e6)
	}
	return nil
}
