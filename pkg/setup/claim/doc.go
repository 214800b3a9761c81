// Package claim is the device's certificate for its broker: the operational key and the
// request for it, the judgement of a chain that comes back, enrolment over secure
// transport (EST, RFC 7030), and renewal. docs/protocol.md 13.
//
// A certificate opens nothing at the camera. It lets the camera talk to the broker, so
// what can go wrong with one is that the camera is out of reach: therefore a new one is
// tried before the old one goes.
package claim
