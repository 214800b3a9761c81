// Package audio is the microphone and the speaker. The Microphone captures 48 kHz
// mono, encodes Opus packets of 20 ms and publishes them, with the time at which their
// first sample was captured. The Speaker plays announcements and, after one was heard, one
// remote voice.
//
// While the speaker is heard, a FarEnd between the two gives the Microphone what it must
// remove from its sound (package echo) or, if it can't, when to be silent (package
// dynamics). At all other times its sound is unchanged.
//
// Each has its sound card open only while somebody wants the sound. Cards that need
// resampling are refused. A card that is missing, busy, unplugged, silent or stuck is
// reported by health and tried again with growing, jittered pauses. Privacy mode closes
// only the microphone. When Run returns, the card is closed.
package audio
