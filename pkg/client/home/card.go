package home

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// Card returns the camera card by which a new member reaches the camera, signed by keys
// and sealed for the new member's key to. login is how that member gets into the broker,
// whose address and authority are those of the record unless login has others.
// docs/protocol.md 2.8.
func (r Record) Card(keys *Keys, to envelope.PublicKey, name string, role proto.Role, login Broker) ([]byte, error) {
	if err := login.CheckFor(to.ClientID()); err != nil {
		return nil, err
	}
	own, err := keys.Card()
	if err != nil {
		return nil, err
	}
	card := envelope.CameraCard{Key: string(own), By: r.Member, Device: r.Device, Camera: r.Name,
		Identity: r.Identity, Trio: r.Trio, Epoch: r.Epoch, Member: name, Role: role,
		Broker: envelope.BrokerLogin{URL: r.Broker.URL, CA: cmp.Or(login.CA, r.Broker.CA), ServerName: r.Broker.ServerName, Web: r.Broker.Web,
			Certificate: login.Certificate, Key: login.Key, User: login.User, Password: login.Password}}
	if login.URL != "" {
		card.Broker.URL, card.Broker.ServerName, card.Broker.Web = login.URL, login.ServerName, login.Web
	}
	if login.OverWebSocket() { // its certificate is often of a public authority: browsers want that
		card.Broker.CA = login.CA
	}
	sealed, err := envelope.SealCard(card, keys.Signer(), to.Enc)
	if errors.Is(err, envelope.ErrOversized) {
		return nil, NewProblem(err, "The camera card is too large (%d bytes at most). Use a broker certificate without its chain.", proto.MaxMessage)
	}
	return sealed, err
}

// Invitation is an opened camera card. It is worth as much as its signer: a person
// compares the signer's words before Record is saved.
type Invitation struct {
	Record Record
	Signer proto.ClientID
	By     string  // what the household calls the signer
	Known  *Record // the record of this camera that Record would replace; nil: none
}

// OpenCard reads a camera card that was sealed for keys. It refuses a card with another
// identity key, or an earlier epoch, than h has for that camera.
func (h *Home) OpenCard(card []byte, keys *Keys) (Invitation, error) {
	c, signer, err := envelope.OpenCard(bytes.TrimSpace(card), keys.Opener())
	if err != nil {
		return Invitation{}, NewProblem(errors.Join(ErrCard, err), "This is not a camera card for this client's key. Ask for one that is made for what camctl id prints here.")
	}
	b := c.Broker
	r := Record{Version: recordVersion, Device: c.Device, Name: c.Camera, Member: c.Member, Role: c.Role, Identity: c.Identity, Trio: c.Trio,
		Epoch: c.Epoch, Paired: time.Now().Unix(), Broker: Broker{URL: b.URL, ServerName: b.ServerName, CA: b.CA, Web: b.Web,
			Certificate: b.Certificate, Key: b.Key, User: b.User, Password: b.Password}}
	_, err = r.Verify()
	if err == nil && c.By != "" {
		err = naming.Check(c.By)
	}
	if err != nil {
		return Invitation{}, NewProblem(errors.Join(ErrCard, err), "The camera card contradicts itself. Ask for a new one.")
	}
	known, err := h.replaces(r)
	return Invitation{Record: r, Signer: signer.ClientID(), By: c.By, Known: known}, err
}

// replaces returns the record that r would replace, nil if there is none. It refuses a
// record of another device, or of an earlier epoch.
func (h *Home) replaces(r Record) (*Record, error) {
	old, err := readRecord(h.file(r.Device, ".json"), r.Device)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !bytes.Equal(old.Identity, r.Identity):
		return nil, NewProblem(ErrCard, "The camera card belongs to a device that calls itself %s but has another key than the one you know. Do not use it.", r.Device)
	case old.Epoch > r.Epoch:
		return nil, NewProblem(ErrCard, "The camera card belongs to an earlier household of %s. Ask for a new one.", old.Title())
	}
	return &old, nil
}
