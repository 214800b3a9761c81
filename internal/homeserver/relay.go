package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/pion/turn/v5"
)

// Check asks the TURN server for a relayed address, over "udp" or "tcp".
func (c Credentials) Check(ctx context.Context, network string) error {
	address, _, _ := strings.Cut(strings.TrimPrefix(c.URLs[0], "turn:"), "?")
	var conn net.PacketConn
	var err error
	if network == "tcp" {
		stream, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		conn = turn.NewSTUNConn(stream)
	} else if conn, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", ":0"); err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	end := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer end()
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: address, TURNServerAddr: address, Conn: conn,
		Username: c.UserName, Password: c.Credential,
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Listen(); err != nil {
		return err
	}
	relayed, err := client.Allocate()
	if ctx.Err() != nil {
		return errors.New("it does not answer")
	}
	if err != nil {
		return fmt.Errorf("it gives no relayed address: %w", err)
	}
	return relayed.Close()
}
