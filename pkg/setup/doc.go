// Package setup knows how the device reaches its broker if the configuration does not say
// so: Wi-Fi, the broker's address and authority, and the device's certificate. It owns the
// part of this that is stored in the state folder. A client sets it while it pairs
// (docs/protocol.md 3.11); package auth decides before who may.
//
// Settings are tried first: the device joins the network and connects to the broker, beside
// its present connection. Only settings that work are stored, and only together with the
// client's enrolment: they are stored as pending for this client, then the client is
// enrolled, then they take effect. At the start, pending settings take effect if their client
// was enrolled, and are dropped otherwise, so that a power cut leaves all or nothing.
// docs/protocol.md 11.8.
//
// Later an owner may change the Wi-Fi while the device is online: it joins the other network,
// and keeps it if it reaches its broker through it, or goes back. docs/protocol.md 15.3.
//
// The configuration takes precedence over all of this. A reset shreds the stored settings; an
// eviction leaves them.
package setup
