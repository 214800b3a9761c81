package envelope

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/proto"
)

// longest is a request whose claims, but for the body, are as long as they may be.
func (p parties) longest(body []byte) proto.Request {
	const most = 1<<53 - 1
	origin := fmt.Sprintf("camd/%s/%d", p.request().Audience, uint64(most))
	token := strings.Repeat("x", 64)
	return proto.Request{Audience: p.request().Audience, Epoch: most, Nonce: strings.Repeat("n", 22), TTL: most, Sequence: most, ID: token,
		IssuedAt: most, Op: proto.OpSetSettings, Session: token, Body: body,
		Checkpoint: fmt.Sprintf("%s\n%d\n%s\n\n— %s %s\n", origin, uint64(most), strings.Repeat("h", 44), origin, strings.Repeat("s", 92))}
}

// docs/protocol.md 4.1.1 promises a body so much room.
func TestALargestBodyFitsARequest(t *testing.T) {
	p := newParties(t)
	for n, want := range map[int]error{proto.MaxBody: nil, proto.MaxBody + 256: ErrOversized} {
		body := marshal(t, strings.Repeat("b", n-2))
		if _, err := SealRequest(p.longest(body), p.clientSig, p.hhEnc.PublicKey()); !errors.Is(err, want) {
			t.Errorf("a body of %d bytes: %v, want %v", len(body), err, want)
		}
	}
}

// An offer of the most that docs/protocol.md 7.1 takes, in lines as short as those of
// browsers, fits a body.
func TestALargestOfferFitsABody(t *testing.T) {
	line := strings.Repeat("a", 33) + "\r\n"
	sdp := strings.Repeat(line, proto.MaxOffer/len(line)) + strings.Repeat("a", proto.MaxOffer%len(line))
	body := marshal(t, proto.LiveRequest{SDP: sdp, Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}})
	if len(sdp) != proto.MaxOffer || len(body) > proto.MaxBody {
		t.Errorf("an offer of %d bytes makes a body of %d, of which %d fit", len(sdp), len(body), proto.MaxBody)
	}
}
