package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/camd-project/camd/pkg/foreign"
)

// report is the table of camd check.
type report struct {
	w     *tabwriter.Writer
	wrong int
}

// line adds a line. Text that others wrote can't make it two.
func (r *report) line(what, state, detail string) {
	fmt.Fprintf(r.w, "%s\t%s\t%s\n", what, state, foreign.Line(detail))
}

// fail adds a line about something that camd needs and that is wrong.
func (r *report) fail(what, detail string) {
	r.wrong++
	r.line(what, "WRONG", detail)
}
