// Package setup knows how the device reaches its broker when nobody wrote that into its
// configuration: Wi-Fi, the broker's address and authority, and the device's certificate.
// It owns what of this is kept in the state folder. A client sets it while it pairs
// (docs/protocol.md 3.11); who may, auth decides before.
//
// Settings are tried first: the network is joined and the broker connected to, beside
// whatever connection there is. Only what works is kept, and only together with the
// client's enrolment: it is written down as pending, for this client; then the client is
// enrolled; then what is pending is in force. At the start what is pending is taken if its
// client was enrolled, and dropped if not, so a power cut leaves all of it or nothing.
// docs/protocol.md 11.8.
//
// Later an owner may change the Wi-Fi while the device is online: it joins the other
// network, and keeps it once it has reached its broker through it, or goes back.
// docs/protocol.md 15.3.
//
// What the configuration names goes before all of this. A reset shreds what is kept; an
// eviction leaves it.
package setup
