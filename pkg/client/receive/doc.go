// Package receive makes frames of the RTP packets of one track: it puts packets in
// order, assembles access units, and places frames in time. It trusts nothing in a
// packet: what it keeps is bounded.
package receive
