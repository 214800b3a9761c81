package client

import (
	"bytes"
	"errors"
	"io/fs"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// MakeCard writes the camera card by which a new member reaches the camera, sealed
// for its key: only the new member can read it. login is how it gets into the
// broker, whose address and authority are as in the record unless login says
// otherwise. docs/protocol.md 2.8.
func (c *Camera) MakeCard(to envelope.PublicKey, name string, role proto.Role, login Broker) ([]byte, error) {
	if err := login.For(to.ClientID()); err != nil {
		return nil, err
	}
	own, err := c.keys.Card()
	if err != nil {
		return nil, err
	}
	known := c.record.Broker
	card := envelope.CameraCard{Key: string(own), By: c.record.Member, Device: c.record.Device, Camera: c.record.Name,
		Identity: c.record.Identity, Trio: c.record.Trio, Epoch: c.record.Epoch, Member: name, Role: role,
		Broker: envelope.BrokerLogin{URL: known.URL, CA: known.CA, ServerName: known.ServerName,
			Certificate: login.Certificate, Key: login.Key, User: login.User, Password: login.Password}}
	if login.URL != "" {
		card.Broker.URL, card.Broker.ServerName = login.URL, login.ServerName
	}
	if login.CA != "" {
		card.Broker.CA = login.CA
	}
	sealed, err := envelope.SealCard(card, c.keys.Signer(), to.Enc)
	if errors.Is(err, envelope.ErrOversized) {
		return nil, problem(err, "The camera card is too large (%d bytes at most). Use a broker certificate without its chain.", proto.MaxMessage)
	}
	return sealed, err
}

// Invitation is an opened camera card. Nothing vouches for it but its signer, whose
// words are to be compared before Record is saved.
type Invitation struct {
	Record Record
	Signer proto.ClientID
	By     string  // what the household calls the signer
	Known  *Record // what home has of this camera already, which Record would replace
}

// OpenCard reads a camera card that was sealed for keys. A camera that home knows
// keeps its identity and never goes back to an earlier epoch.
func (h *Home) OpenCard(card []byte, keys *Keys) (Invitation, error) {
	c, signer, err := envelope.OpenCard(bytes.TrimSpace(card), keys.Opener())
	if err != nil {
		return Invitation{}, problem(errors.Join(ErrCard, err), "This is no camera card for this client's key. Ask for one that is made for what camctl id prints here.")
	}
	b := c.Broker
	r := Record{Version: recordVersion, Device: c.Device, Name: c.Camera, Member: c.Member, Role: c.Role, Identity: c.Identity, Trio: c.Trio,
		Epoch: c.Epoch, Paired: time.Now().Unix(), Broker: Broker{URL: b.URL, ServerName: b.ServerName, CA: b.CA,
			Certificate: b.Certificate, Key: b.Key, User: b.User, Password: b.Password}}
	_, err = r.check()
	if err == nil && c.By != "" {
		err = naming.Check(c.By)
	}
	if err != nil {
		return Invitation{}, problem(errors.Join(ErrCard, err), "The camera card contradicts itself. Ask for a new one.")
	}
	known, err := h.replaces(r)
	return Invitation{Record: r, Signer: signer.ClientID(), By: c.By, Known: known}, err
}

// replaces returns what the home knows of the camera of r, nil if that is nothing, and
// refuses a record that is not of that camera.
func (h *Home) replaces(r Record) (*Record, error) {
	old, err := readRecord(h.file(r.Device, ".json"), r.Device)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !bytes.Equal(old.Identity, r.Identity):
		return nil, problem(ErrCard, "The camera card is of a device that calls itself %s but has another key than the one you know. Do not use it.", r.Device)
	case old.Epoch > r.Epoch:
		return nil, problem(ErrCard, "The camera card is of an earlier household of %s. Ask for a new one.", old.Title())
	}
	return &old, nil
}
