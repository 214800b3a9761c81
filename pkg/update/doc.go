// Package update updates the camera from one release to the next, and rolls back if the next
// one does not work. It asks the catalog, downloads, has the bundle installed into the slot
// that does not run, restarts at a quiet time, and lets the new version prove itself before
// it stays. It knows neither TUF nor RAUC: both are behind interfaces.
//
// Everything that must survive a power cut is in one folder of the state, which both slots
// share: the progress in state.json, the lowest allowed version in lowest, and the bundle
// while it is needed. Each change is one atomic write, made before the step that it
// announces, so that every step can be interrupted and is then resumed or undone.
// docs/operations.md describes the life of an update.
package update
