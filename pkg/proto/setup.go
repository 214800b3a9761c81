package proto

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

// SetupDo is what a client asks of a device while both pair. docs/protocol.md 3.11.
type SetupDo string

// What there is to ask.
const (
	SetupDoState    SetupDo = "state"    // how much of it is set up
	SetupDoNetworks SetupDo = "networks" // which Wi-Fi networks it hears
	SetupDoRequest  SetupDo = "request"  // what is to be signed for its certificate
)

// SetupAsk asks a device one thing. docs/protocol.md 3.11.
type SetupAsk struct {
	Do SetupDo `json:"do"`
}

// SetupReply answers a SetupAsk; of its members there are those that were asked for.
// docs/protocol.md 3.11.
type SetupReply struct {
	State    *SetupState `json:"state,omitempty"`
	Networks []Network   `json:"networks,omitempty"` // at most MaxNetworks, the strongest first, each SSID once
	Request  []byte      `json:"request,omitempty"`  // PKCS #10 in DER
	Subject  string      `json:"subject,omitempty"`  // common name in Request
}

// SetupState says how much of a device is set up. docs/protocol.md 3.11.
type SetupState struct {
	Broker      bool `json:"broker"`      // it has one
	Fixed       bool `json:"fixed"`       // its configuration names the broker, so nobody sets another
	Certificate bool `json:"certificate"` // it has one for the broker
	WiFi        bool `json:"wifi"`        // it has Wi-Fi that can be set up
}

// Bounds of a conversation. docs/protocol.md 3.11.
const (
	MaxNetworks    = 32
	maxSSID        = 32  // IEEE 802.11-2020 section 9.4.2.2
	maxPassphrase  = 63  // IEEE 802.11-2020 annex J.4.1; 64 hexadecimal digits are the key itself
	minPassphrase  = 8   // there too
	maxAddress     = 256 // of broker and EST server
	maxServerName  = 253 // RFC 1035 section 2.3.4, as text
	maxAuthority   = 8 << 10
	maxCertificate = 3 << 10 // in DER
	maxCertChain   = 4
	maxESTWord     = 128
)

// SSID is the name of a Wi-Fi network: 1 to 32 bytes of any kind, which are base64url on
// the wire. It is others' text: foreign.Name makes it fit to be shown.
type SSID string

// MarshalText implements encoding.TextMarshaler.
func (s SSID) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, []byte(s)), nil
}

var errSSID = errors.New("an SSID has 1 to 32 bytes, in base64url")

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *SSID) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) == 0 || len(b) > maxSSID || strings.ContainsAny(string(text), "\r\n") {
		return errSSID
	}
	*s = SSID(b)
	return nil
}

// Security is how a Wi-Fi network authenticates its clients.
type Security string

// The kinds. docs/protocol.md 3.11.
const (
	SecurityOpen       Security = "open" // nothing is encrypted
	SecurityWPA2       Security = "wpa2" // by password, WPA2-PSK
	SecurityTransition Security = "wpa2/wpa3"
	SecurityWPA3       Security = "wpa3"  // by password, SAE only
	SecurityOther      Security = "other" // this device can't use it
)

// Network is a Wi-Fi network that a device hears. docs/protocol.md 3.11.
type Network struct {
	SSID     SSID     `json:"ssid"`
	Security Security `json:"security"`
	Signal   int      `json:"signal"` // dBm
	Band     string   `json:"band"`   // GHz: 2.4, 5 or 6
}

// Secret is a password on its way to a device. Nothing but JSON shows it.
type Secret string

// String and GoString keep it out of logs.
func (Secret) String() string { return "[secret]" }

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SetupSettings are what a client sets while it pairs; without any the device enrols it
// and stays as it is. docs/protocol.md 3.11.
type SetupSettings struct {
	WiFi   *WiFi        `json:"wifi,omitempty"`
	Broker *SetupBroker `json:"broker,omitempty"`
	Chain  [][]byte     `json:"chain,omitempty"` // DER, leaf first: the certificate for the request that the device made
	EST    *EST         `json:"est,omitempty"`
	// Key is the private key of Chain, PKCS #8, if the device did not make it: in a code
	// (docs/protocol.md 3.12), which nobody can ask before; never in a conversation.
	Key PrivateKey `json:"-"`
}

// PrivateKey is a private key on its way to a device. Nothing shows it.
type PrivateKey []byte

// String and GoString keep it out of logs.
func (PrivateKey) String() string { return "[key]" }

// GoString is String.
func (k PrivateKey) GoString() string { return k.String() }

// LogValue implements slog.LogValuer.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// WiFi is a network and how to get into it. docs/protocol.md 3.11.
type WiFi struct {
	SSID     SSID     `json:"ssid"`
	Password Secret   `json:"password,omitempty"`
	Security Security `json:"security,omitempty"` // as the device had said; empty: it looks
	Hidden   bool     `json:"hidden,omitempty"`   // it does not tell its SSID
	OpenOK   bool     `json:"open_ok,omitempty"`  // the person knows that the network is open
}

// SetupBroker is where a device and its clients meet. docs/protocol.md 3.11.
type SetupBroker struct {
	URL        string `json:"url"`
	ViewerURL  string `json:"viewer_url,omitempty"`  // for clients, where it is another
	WebURL     string `json:"web_url,omitempty"`     // of its WebSocket, for clients in browsers
	ServerName string `json:"server_name,omitempty"` // in the broker's certificate, if not the host of URL
	CA         string `json:"ca,omitempty"`          // PEM; empty: any public authority
}

// EST says where a device has its certificate made (RFC 7030). docs/protocol.md 3.11.
type EST struct {
	URL      string `json:"url"`
	User     string `json:"user,omitempty"`
	Password Secret `json:"password,omitempty"`
}

// Empty reports whether there is nothing to set.
func (s SetupSettings) Empty() bool {
	return s.WiFi == nil && s.Broker == nil && len(s.Chain) == 0 && s.EST == nil
}

// Check reports as a *SetupProblem what can't be meant, before anything is tried.
func (s SetupSettings) Check() error {
	switch {
	case len(s.Chain) > maxCertChain:
		return unusable("at most %d certificates are taken", maxCertChain)
	case s.WiFi != nil && s.WiFi.wrong() != nil:
		return s.WiFi.wrong()
	case s.Broker != nil && s.Broker.wrong() != nil:
		return s.Broker.wrong()
	case s.EST != nil && s.EST.wrong() != nil:
		return s.EST.wrong()
	}
	for _, der := range s.Chain {
		if len(der) == 0 || len(der) > maxCertificate {
			return unusable("a certificate has at most %d bytes", maxCertificate)
		}
	}
	return nil
}

func unusable(what string, args ...any) error {
	return &SetupProblem{CodeBadRequest, "The camera can't use these settings: " + fmt.Sprintf(what, args...) + "."}
}

func (w WiFi) wrong() error {
	switch {
	case len(w.SSID) == 0 || len(w.SSID) > maxSSID:
		return unusable("the name of a Wi-Fi network has 1 to %d bytes", maxSSID)
	case !slices.Contains([]Security{"", SecurityOpen, SecurityWPA2, SecurityTransition, SecurityWPA3, SecurityOther}, w.Security):
		return unusable("this camera knows no such kind of Wi-Fi")
	case w.Password == "" && (w.Security == "" || w.Security == SecurityOpen):
		return nil
	case !w.Password.passphrase():
		return &SetupProblem{CodeWiFiPassword, fmt.Sprintf("A Wi-Fi password has %d to %d characters: English letters, digits, spaces and punctuation.", minPassphrase, maxPassphrase)}
	}
	return nil
}

// passphrase reports whether it can be one, or the key itself, of WPA2 and WPA3.
func (s Secret) passphrase() bool {
	if len(s) == maxPassphrase+1 {
		return strings.Trim(string(s), "0123456789abcdefABCDEF") == ""
	}
	return len(s) >= minPassphrase && len(s) <= maxPassphrase &&
		strings.IndexFunc(string(s), func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

func (b SetupBroker) wrong() error {
	for _, u := range []string{b.URL, b.ViewerURL} {
		if u == "" && b.URL != "" {
			continue
		}
		if !address(u, "mqtts") {
			return unusable("the broker's address must be mqtts://host or mqtts://host:port")
		}
	}
	if b.WebURL != "" && (!address(b.WebURL, "wss") || strings.Contains(b.WebURL, "#")) {
		return unusable("the broker's address for browsers must be wss://host or wss://host:port/path")
	}
	if len(b.ServerName) > maxServerName || len(b.CA) > maxAuthority {
		return unusable("the broker's name has at most %d bytes, and its authority %d", maxServerName, maxAuthority)
	}
	return nil
}

func (e EST) wrong() error {
	if !address(e.URL, "https") || len(e.User) > maxESTWord || len(e.Password) > maxESTWord {
		return unusable("the enrolment server's address must begin with https://, and user and password have at most %d bytes", maxESTWord)
	}
	return nil
}

// address reports whether u names a host under scheme, and no user.
func address(u, scheme string) bool {
	p, err := url.Parse(u)
	return err == nil && len(u) <= maxAddress && p.Scheme == scheme && p.Hostname() != "" && p.User == nil
}

// SetupStep is what a device does with settings at the moment. docs/protocol.md 3.11.
type SetupStep string

// The steps, in their order.
const (
	StepWiFi        SetupStep = "wifi"        // joining the network
	StepAddress     SetupStep = "address"     // waiting for an address in it
	StepClock       SetupStep = "clock"       // waiting for the time
	StepInternet    SetupStep = "internet"    // looking for the way out
	StepBroker      SetupStep = "broker"      // connecting to the broker
	StepCertificate SetupStep = "certificate" // having its certificate made
	StepSaving      SetupStep = "saving"      // all of it works
)

var stepSentences = map[SetupStep]string{
	StepWiFi:        "The camera is joining the Wi-Fi network.",
	StepAddress:     "The camera is waiting for an address in the network.",
	StepClock:       "The camera is checking the time.",
	StepInternet:    "The camera is looking for a route to its broker.",
	StepBroker:      "The camera is connecting to its broker.",
	StepCertificate: "The camera is getting its certificate.",
	StepSaving:      "The camera is saving the settings.",
}

// Sentence returns what a person reads while it lasts.
func (s SetupStep) Sentence() string {
	if text, ok := stepSentences[s]; ok {
		return text
	}
	return "The camera is working on it: " + string(s) + "."
}

// SetupProblem is why a device does not take settings, or can't answer. Nothing of them is
// kept, and the conversation goes on. docs/protocol.md 3.11.
type SetupProblem struct {
	Code   Code
	Detail string // a sentence that says more than the code's; may be empty, may be others' text
}

// Error returns the sentence for people.
func (p *SetupProblem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Code.Sentence()
}
