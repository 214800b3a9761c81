package live

import "github.com/camd-project/camd/pkg/proto"

// perMember is how many sessions one member who is no owner has at once: one more than
// it looks at, since one whose network changed lives on until it is found silent.
const perMember = 2

// place returns CodeOK if one more session may begin, and otherwise the refusal. Nobody
// can keep others out by beginning sessions: a member who is no owner has at most
// perMember, has at most half of all places together with those of the same sponsor,
// and leaves one to the owners. An owner's own sessions count for nobody else.
func place(o Offer, sessions map[sessionKey]*Session, most int) proto.Code {
	own, family, others := 0, 0, 0
	for _, x := range sessions {
		if x.offer.Owner {
			continue
		}
		others++
		if x.offer.Client == o.Client {
			own++
		}
		if x.offer.Sponsor == o.Sponsor {
			family++
		}
	}
	switch {
	case len(sessions) >= most:
		return proto.CodeTooManySessions
	case o.Owner:
		return proto.CodeOK
	case own >= min(perMember, max(1, most/2)), family >= max(1, most/2):
		return proto.CodeTooManyOwn
	case others >= max(1, most-1):
		return proto.CodeTooManySessions
	}
	return proto.CodeOK
}
