package proto

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
)

// DeviceID names a camera for its whole life: 26 characters [a-z2-7], made at
// the factory. It never holds an MQTT separator or wildcard. docs/protocol.md 1.1.
type DeviceID string

// ClientID names a client: the RFC 7638 SHA-256 thumbprint of its signing key,
// base64url without padding, 43 characters. docs/protocol.md 1.2.
type ClientID string

const (
	deviceIDLen = 26
	clientIDLen = 43
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewDeviceID returns a device identifier from 130 random bits.
func NewDeviceID() DeviceID {
	b := make([]byte, 17) // 136 bits encode to 28 characters; the first 26 carry 130
	_, _ = rand.Read(b)   // crypto/rand.Read never fails since Go 1.24
	return DeviceID(idEncoding.EncodeToString(b)[:deviceIDLen])
}

// Valid reports whether d has the form of a device identifier.
func (d DeviceID) Valid() bool {
	return len(d) == deviceIDLen && strings.Trim(string(d), "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Valid reports whether c has the form of a client identifier.
func (c ClientID) Valid() bool {
	if len(c) != clientIDLen {
		return false
	}
	for _, r := range c {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}

// Topics of one device. docs/protocol.md 1.3.
const topicRoot = "camd/v1/"

// ErrTopic is what ParseIn returns for a topic that is no client's request topic.
var ErrTopic = errors.New("not a request topic")

// TopicIn returns where client publishes its requests to device.
func TopicIn(device DeviceID, client ClientID) string {
	return topicRoot + string(device) + "/in/" + string(client)
}

// TopicOut returns where device publishes what is sealed for client.
func TopicOut(device DeviceID, client ClientID) string {
	return topicRoot + string(device) + "/out/" + string(client)
}

// TopicInFilter returns the device's only subscription.
func TopicInFilter(device DeviceID) string { return topicRoot + string(device) + "/in/+" }

// TopicStatus carries the retained Status of device.
func TopicStatus(device DeviceID) string { return topicRoot + string(device) + "/status" }

// ParseIn takes the client out of a request topic of device.
func ParseIn(device DeviceID, topic string) (ClientID, error) {
	rest, ok := strings.CutPrefix(topic, topicRoot+string(device)+"/in/")
	if c := ClientID(rest); ok && c.Valid() {
		return c, nil
	}
	return "", fmt.Errorf("%w: %.80q", ErrTopic, topic)
}
