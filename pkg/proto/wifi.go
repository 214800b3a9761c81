package proto

// WiFiDo is what OpWiFi is asked to do. docs/protocol.md 15.1.
type WiFiDo string

// What there is to do. All of it is for owners.
const (
	WiFiDoStatus   WiFiDo = "status"   // say in which network the camera is, and what became of the last change
	WiFiDoNetworks WiFiDo = "networks" // look what is in the air, too
	WiFiDoJoin     WiFiDo = "join"     // try another network
)

// WiFiRequest is the body of OpWiFi. docs/protocol.md 15.1.
type WiFiRequest struct {
	Do   WiFiDo `json:"do"`
	WiFi *WiFi  `json:"wifi,omitempty"` // WiFiDoJoin
}

// Valid reports whether it asks for one thing that there is.
func (q WiFiRequest) Valid() bool {
	switch q.Do {
	case WiFiDoStatus, WiFiDoNetworks:
		return q.WiFi == nil
	case WiFiDoJoin:
		return q.WiFi != nil
	}
	return false
}

// WiFiStatus is the body of the answer to OpWiFi. docs/protocol.md 15.2.
type WiFiStatus struct {
	Current  *Network     `json:"current,omitempty"`  // the network that the camera is in
	Networks []Network    `json:"networks,omitempty"` // in the answer to WiFiDoNetworks
	Trying   SSID         `json:"trying,omitempty"`   // a change is under way
	Last     *WiFiChange  `json:"last,omitempty"`     // what became of the last change
	Problem  *WiFiProblem `json:"problem,omitempty"`  // nothing was done
}

// WiFiChange is what became of a change of the camera's Wi-Fi. docs/protocol.md 15.2.
type WiFiChange struct {
	Entry  uint64 `json:"n"` // number of its entry in the access log
	SSID   SSID   `json:"ssid"`
	At     int64  `json:"at"`               // when it was asked for, Unix seconds by the camera's clock
	Code   Code   `json:"code"`             // CodeOK: the network is in force
	Reason string `json:"reason,omitempty"` // a sentence: why the camera went back
}

// WiFiProblem is why nothing was done. docs/protocol.md 15.2.
type WiFiProblem struct {
	Code   Code   `json:"code"`
	Reason string `json:"reason"` // a sentence, may be others' text
}

// SetUpWiFi is what the access log says of a change of Wi-Fi: that there is another
// network, and nothing of it. docs/protocol.md 6.3.
const SetUpWiFi = "set_up=wifi"
