package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// Members begin sessions in this order: an upper-case letter is an owner, a lower-case
// one an adult, and what follows it by a point its guest. Nobody takes all places.
func TestPlaces(t *testing.T) {
	const ok, own, full = proto.CodeOK, proto.CodeTooManyOwn, proto.CodeTooManySessions
	for _, c := range []struct {
		most  int
		who   string
		codes []proto.Code
	}{
		{4, "A A A A A", []proto.Code{ok, ok, ok, ok, full}},
		{4, "b b b A A", []proto.Code{ok, ok, own, ok, ok}},
		{4, "b.1 b.1 b.1", []proto.Code{ok, ok, own}},
		{4, "b.1 b.2 b.3 b c c A", []proto.Code{ok, ok, own, own, ok, full, ok}},
		{4, "A.1 A.2 A.3 A A", []proto.Code{ok, ok, own, ok, ok}}, // an owner's guests don't count as the owner
		{4, "A A A b b", []proto.Code{ok, ok, ok, ok, full}},      // and an owner's sessions take nobody's share
		{4, "b c d e A", []proto.Code{ok, ok, ok, full, ok}},
		{8, "b b b b.1 b.1 b.2 c c d d e A", []proto.Code{ok, ok, own, ok, ok, own, ok, ok, ok, full, full, ok}},
		{3, "b b c d A", []proto.Code{ok, own, ok, full, ok}},
		{2, "b c A", []proto.Code{ok, full, ok}},
		{1, "b A", []proto.Code{ok, full}}, // the only place can't be kept
		{1, "A b", []proto.Code{ok, full}},
	} {
		sessions := map[sessionKey]*Session{}
		for i, who := range strings.Fields(c.who) {
			sponsor, _, guest := strings.Cut(who, ".")
			o := Offer{Client: proto.ClientID(who), Sponsor: proto.ClientID(sponsor), Owner: !guest && strings.ToUpper(who) == who}
			code := place(o, sessions, c.most)
			if code != c.codes[i] {
				t.Errorf("%d places, %s: number %d gets %s, want %s", c.most, c.who, i+1, code, c.codes[i])
			}
			if code == ok {
				sessions[sessionKey{o.Client, fmt.Sprint(i)}] = &Session{offer: o}
			}
		}
	}
}
