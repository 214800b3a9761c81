// Package audio is the microphone and the speaker. The Microphone captures 48 kHz
// mono, encodes Opus packets of 20 ms and publishes them, stamped with the moment at
// which their first sample was captured. The Speaker plays announcements and, after
// one was heard, one remote voice.
//
// While the speaker is heard, a FarEnd between the two tells the Microphone what to take
// out of its sound (package echo) or, where that can't be, to be silent (package
// dynamics). At all other times its sound passes untouched.
//
// Each owns its sound card while somebody wants the sound, and only then: without
// demand no card is open. Cards that need resampling are refused. A card that is
// missing, busy, unplugged, silent or stuck is reported in health and tried again with
// a growing, jittered pause. Privacy mode closes the microphone alone. Run has closed
// the card when it returns.
package audio
