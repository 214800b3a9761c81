package main

import (
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// Whoever is to be removed is found however the name is typed: keyboards write René in
// two ways that look the same.
func TestMemberIsFound(t *testing.T) {
	const rene = proto.ClientID("0123456789abcdefghijklmnopqrstuvwxyzABCDEFG")
	const other = proto.ClientID("1123456789abcdefghijklmnopqrstuvwxyzABCDEFG")
	members := []proto.Member{{Client: rene, Name: "Ren\u00e9"}, {Client: "2123456789", Name: "Cara"}, {Client: "2123456788", Name: "Dora"}}
	for which, want := range map[string]proto.ClientID{
		"Ren\u00e9": rene, "Rene\u0301": rene, "ren\u00e9": rene,
		"01234567": rene, string(rene): rene, string(other): other,
		"Rene": "", "0123456": "", "21234567": "",
	} {
		if got, err := member(members, which); got != want || (err == nil) != (want != "") {
			t.Errorf("%q finds %q, %v, want %q", which, got, err, want)
		}
	}
}
