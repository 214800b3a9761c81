// Package congestion finds out how much a viewer's network path carries, and says how
// fast packets may leave.
//
// The receiver reports when each packet arrived (transport-wide feedback), and the
// Controller derives from it an estimate by draft-ietf-rmcat-gcc-02: delay that grows
// lowers it, loss bounds it, and probes find what is free above it. The package has no
// goroutine, no clock and no lock of its own; the goroutine that sends calls it.
package congestion
