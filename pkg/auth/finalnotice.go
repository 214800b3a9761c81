package auth

import (
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// finalNotices holds last notices of the epoch before, under their receiver, until the
// broker was reached. They are sealed, and signed by keys that are gone.
var finalNotices = store.Plain("farewell")

// put brings what is kept into the next epoch's store.
func (p *pending) put(tx *store.Tx) error {
	if p.Reset {
		return nil
	}
	if err := p.Settings.put(tx); err != nil {
		return err
	}
	for _, f := range p.FinalNotices {
		if err := finalNotices.Put(tx, string(f.To), f.Message); err != nil {
			return err
		}
	}
	return nil
}

// Online sends what members have not been sent yet, those of the epoch before too. It is
// called when the broker was reached.
func (g *Gate) Online() {
	if err := g.sendFinalNotices(); err != nil {
		g.log.Warn("last notices of the epoch before were not all sent", "error", err)
	}
	g.notices.online()
}

func (g *Gate) sendFinalNotices() error {
	var l []finalNotice
	err := g.authority.trust.View(func(tx *store.Tx) error {
		return finalNotices.ForEach(tx, "", func(key string, value []byte) error {
			l = append(l, finalNotice{proto.ClientID(key), value})
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, f := range l {
		if err := g.sender.Notify(f.To, f.Message, func(err error) { g.finalNoticeSent(f, err) }); err != nil {
			return fmt.Errorf("send a last notice: %w", err) // it stays for the next time
		}
	}
	return nil
}

// finalNoticeSent forgets a last notice that is with the broker.
func (g *Gate) finalNoticeSent(f finalNotice, err error) {
	if err == nil {
		err = g.authority.trust.Update(func(tx *store.Tx) error { return finalNotices.Delete(tx, string(f.To)) })
	}
	if err != nil { // it is sent again the next time
		g.log.Debug("last notice not sent", "client", string(f.To), "error", err)
	}
}
