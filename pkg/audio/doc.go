// Package audio is the microphone: it captures 48 kHz mono, encodes Opus packets
// of 20 ms and publishes them, stamped with the moment at which their first sample
// was captured.
//
// It owns the sound card while somebody wants the sound, and only then: without
// demand no card is open. It refuses cards that need resampling. A card that is
// missing, busy, unplugged or silent is reported in health and tried again with a
// growing, jittered pause. Run has closed the card when it returns.
package audio
