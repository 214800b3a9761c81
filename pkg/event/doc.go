// Package event is the doorbell's ring and the pictures that members may fetch.
//
// A press of the bell becomes an entry of the access log, whose notice goes to every
// member, before anything waits for the camera. Then the bell sounds, the camera is kept
// wanted for two minutes, so that a phone that wakes up joins a picture already prepared,
// and a picture is taken and kept with the event. The last 50 events are kept, sealed
// with a key of the household's epoch, so that an eviction or a reset makes them noise.
// A picture that a member asks for is kept for that member alone, in memory, for a minute, and as long the live light shines.
//
// It refuses more than one ring in three seconds, more rings than the access log can
// stand, and pictures that are too large. What can't be kept is not: a ring is told all
// the same. Run ends with its context, and then the camera is not wanted any more; Close
// ends the use of the store. docs/protocol.md 9.
package event
