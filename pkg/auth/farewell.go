package auth

import (
	"fmt"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// farewells holds last notices of the epoch before, under their receiver, until the
// broker was reached. They are sealed, and signed by keys that are gone.
var farewells = store.Plain("farewell")

// put brings what is kept into the next epoch's store.
func (p *pending) put(tx *store.Tx) error {
	if p.Reset {
		return nil
	}
	if err := p.Settings.put(tx); err != nil {
		return err
	}
	for _, f := range p.Farewell {
		if err := farewells.Put(tx, string(f.To), f.Message); err != nil {
			return err
		}
	}
	return nil
}

// Online sends what members of the epoch before have not been sent yet. It is called
// when the broker was reached.
func (g *Gate) Online() {
	if err := g.sendFarewell(); err != nil {
		g.log.Warn("last notices of the epoch before were not all sent", "error", err)
	}
}

func (g *Gate) sendFarewell() error {
	var l []farewell
	err := g.authority.trust.View(func(tx *store.Tx) error {
		return farewells.ForEach(tx, "", func(key string, value []byte) error {
			l = append(l, farewell{proto.ClientID(key), value})
			return nil
		})
	})
	if err != nil || len(l) == 0 {
		return err
	}
	for _, f := range l {
		if err := g.sender.Send(f.To, f.Message); err != nil {
			return fmt.Errorf("send a last notice: %w", err) // it stays for the next time
		}
	}
	return g.authority.trust.Update(func(tx *store.Tx) error {
		for _, f := range l {
			if err := farewells.Delete(tx, string(f.To)); err != nil {
				return err
			}
		}
		return nil
	})
}
