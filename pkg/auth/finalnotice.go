package auth

import (
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// finalNotices holds the final notices of the epoch before, by receiver, until the broker has
// them. They are sealed already, with keys that are gone.
var finalNotices = store.Plain("farewell")

// put stores what is kept in the next epoch's trust.db.
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

// Online sends the notices that wait, and the final notices of the epoch before. It is called
// when the broker was reached.
func (g *Gate) Online() {
	if err := g.sendFinalNotices(); err != nil {
		g.log.Warn("not all final notices of the epoch before were sent", "error", err)
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
		err := g.sender.Notify(f.To, f.Message, func(err error) {
			if err == nil { // the broker has it
				err = g.authority.trust.Update(func(tx *store.Tx) error { return finalNotices.Delete(tx, string(f.To)) })
			}
			if err != nil { // it is sent again the next time
				g.log.Debug("final notice not sent", "client", string(f.To), "error", err)
			}
		})
		if err != nil {
			return fmt.Errorf("send a final notice: %w", err) // it stays for the next time
		}
	}
	return nil
}
