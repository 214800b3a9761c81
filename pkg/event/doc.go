// Package event is the doorbell, and the pictures that members may fetch.
//
// A press of the doorbell becomes an entry of the access log, whose notice goes to every
// member, before anything waits for the camera. Then the chime sounds, and the camera is
// kept encoding for two minutes, so that a phone that wakes up gets a picture at once. A
// picture is taken and stored with the event. The last 50 events are stored, sealed with a
// key of the household's epoch, so that nobody can read them after an eviction or a reset.
// A picture that a member asks for is kept for that member alone, in memory, for a minute;
// the live indicator is on until then.
//
// It refuses more than one ring in three seconds, more rings than the access log can hold,
// and pictures that are too large. If a picture or an event can't be stored, members are
// notified all the same. Run returns when its context ends; Close closes the database.
// docs/protocol.md 9.
package event
