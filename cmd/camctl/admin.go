package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/broker"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// adminFlag names the login by which logins of members come and go at the broker.
type adminFlag struct {
	BrokerAdmin string `arg:"--broker-admin" help:"file with the broker's administration login, such as broker-admin.json of deploy/household: the member's login comes and goes with its right" placeholder:"FILE"`
}

// login reads the file.
func (a adminFlag) login() (home.Broker, error) {
	text, err := readSmall(a.BrokerAdmin)
	if err != nil {
		return home.Broker{}, err
	}
	var b home.Broker
	if err := json.Unmarshal(text, &b); err != nil || b.Check() != nil || b.User == "" || b.Password == "" {
		return b, command.Usage(a.BrokerAdmin + " is no administration login: it holds url, user and password as JSON, as in broker-admin.json of deploy/household")
	}
	return b, nil
}

// dial connects to the broker's administration.
func (a adminFlag) dial(ctx context.Context) (*broker.Logins, error) {
	b, err := a.login()
	if err != nil {
		return nil, err
	}
	return broker.DialLogins(ctx, b)
}

// removeAll removes the logins of members who were removed at a camera.
func (a adminFlag) removeAll(ctx context.Context, gone []proto.ClientID, device proto.DeviceID) error {
	logins, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer logins.Close()
	for _, id := range gone {
		if !id.Valid() {
			continue // a camera made it up
		}
		err = errors.Join(err, logins.Remove(ctx, id, device))
	}
	return err
}
