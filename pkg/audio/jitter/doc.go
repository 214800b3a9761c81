// Package jitter turns the Opus packets of one RTP stream, as the network delivers
// them, into an even flow of sound.
//
// A Buffer owns the packets that wait for their turn, and the decoder. Put takes a
// packet at any time and from any goroutine; Get is the playout's clock. In between
// lies a delay of 20 to 200 ms that follows the jitter measured. What is missing
// when its turn comes is concealed by the last pitch period, faded out over 60 ms;
// a delay too long or too short is put right by pieces crossfaded out or in,
// in pauses where it can wait for one.
//
// It refuses packets that are no Opus, come after their turn, come twice, or belong
// to no stream that goes on, and counts each. It holds at most 500 ms and 256
// packets: beyond that the oldest go. No clock is read; there is nothing to end.
package jitter
