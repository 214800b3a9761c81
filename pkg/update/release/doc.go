// Package release has what devices, makers and monitors of releases must read in the same way:
// versions, the description of a release, its leaf in the release log, the log's tiles and
// checkpoints with their witnesses, and the anchors of an image. It knows neither TUF nor
// HTTP. docs/updates.md describes all of it.
package release
