// Package publish makes and changes what a maker publishes for cameras to update
// themselves from: keys, TUF metadata, the release log, and the static folder of all
// that. It also holds the other side of it, the witness who signs the log and the
// monitor who reads it. docs/updates.md is the format.
package publish
