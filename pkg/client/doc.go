// Package client is the owner's side of camd. It pairs with a camera, sends it sealed
// requests through its broker and verifies the answers, changes members and settings of
// the household, watches a camera over WebRTC, and talks through it. camctl, the demo, the
// lab and the attack tests are built on it.
//
// It refuses every answer that the paired household did not sign. With every answer it
// verifies that the camera's access log continues what it was and holds what was done. A
// contradiction raises an Alarm, which stays until it is acknowledged; the answer is
// returned all the same.
//
// A Camera ends with Close. A Session ends with Close, or when its connection is lost.
// When Close has returned, all their goroutines have ended.
package client
