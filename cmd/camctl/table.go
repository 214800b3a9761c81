package main

import (
	"strings"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// columns returns a row of a table. Text that others wrote can't make it two rows.
func columns(l ...string) string {
	for i := range l {
		l[i] = foreign.Line(l[i])
	}
	return strings.Join(l, "\t")
}

func scopes(l []proto.Scope) string {
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func may(l []proto.Scope) string {
	if len(l) == len(proto.OwnerScopes()) {
		return "everything"
	}
	return scopes(l)
}
