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

// deviceClaims are the device's hello. docs/protocol.md 3.6.
type deviceClaims struct {
	Hash   string         `json:"h"`
	Device proto.DeviceID `json:"deviceId"`
	Chain  [][]byte       `json:"x5c"` // DER, leaf first; standard base64 as in RFC 7515 4.1.6
	Trio   string         `json:"trio"`
	Epoch  uint64         `json:"ep"`
	Owned  bool           `json:"owned"`
}

// clientClaims show the client's keys within this session. docs/protocol.md 3.7.
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
	Name   string         `json:"name"` // of the member, as whoever granted its rights gave it
	// Broker is where the device and its clients meet. Where the device has the new
	// member's login, it is in it.
	Broker envelope.BrokerLogin `json:"broker"`
}

// MaxBroker bounds Receipt.Broker written as JSON, in bytes: signed and sealed, the
// receipt must fit a message (3.4).
const MaxBroker = 11 << 10

// receiptClaims bind it to this session. docs/protocol.md 3.8.
type receiptClaims struct {
	Hash string `json:"h"`
	Receipt
}

// sameHash refuses a JWS of another session.
func sameHash(h, claimed string) error {
	if claimed != h {
		return fmt.Errorf("%w: h is of another session", ErrTampered)
	}
	return nil
}
