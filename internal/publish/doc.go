// Package publish makes and changes what a maker publishes for the updates of cameras: keys, TUF
// metadata, the release log, and the static folder of all that. It also has the other side: the
// witness, who signs the log, and the monitor, who reads it. docs/updates.md describes the
// format.
package publish
