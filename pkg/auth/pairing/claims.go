package pairing

import (
	"fmt"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/proto"
)

// The types of the three signed messages. docs/protocol.md 3.6 to 3.8.
const (
	typeDevice  = "camd-pair-dev+jwt"
	typeClient  = "camd-pair-cli+jwt"
	typeReceipt = "camd-pair-rcpt+jwt"
)

// deviceClaims are the device's hello.
type deviceClaims struct {
	Hash   string         `json:"h"`
	Device proto.DeviceID `json:"deviceId"`
	Chain  [][]byte       `json:"x5c"` // DER, leaf first; standard base64 as in RFC 7515 4.1.6
	Trio   string         `json:"trio"`
	Epoch  uint64         `json:"ep"`
	Owned  bool           `json:"owned"`
}

// clientClaims show the client's keys within this session.
type clientClaims struct {
	Hash string `json:"h"`
	envelope.Keys
}

// Receipt is what the device signs once the client is stored. Enroll fills in
// Role, Name and Broker; Respond the rest. docs/protocol.md 3.8.
type Receipt struct {
	Device proto.DeviceID `json:"deviceId"`
	Client proto.ClientID `json:"client"`
	Epoch  uint64         `json:"ep"`
	Role   proto.Role     `json:"role"`
	Name   string         `json:"name"` // of the member, as whoever let them in gave it
	Broker Broker         `json:"broker"`
}

// Broker tells where the device and its clients meet.
type Broker struct {
	URL string `json:"url"` // mqtts://host:port
	CA  string `json:"ca"`  // PEM of the authority that the broker's certificate is checked against
}

type receiptClaims struct {
	Hash string `json:"h"`
	Receipt
}

// sameHash refuses a JWS of another session.
func sameHash(c *channel, claimed string) error {
	if claimed != c.h {
		return fmt.Errorf("%w: h is of another session", ErrTampered)
	}
	return nil
}
