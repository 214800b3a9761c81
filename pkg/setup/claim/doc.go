// Package claim is the device's certificate for its broker: the operational key and its
// certificate request, the check of the chain that comes back, enrolment over secure
// transport (EST, RFC 7030), and renewal. docs/protocol.md 13.
//
// A certificate gives no right at the camera. It lets the camera talk to the broker, and a bad
// one would cut the camera off. Therefore a new one is tried before the old one is replaced.
package claim
