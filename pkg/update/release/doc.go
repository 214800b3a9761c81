// Package release holds what everyone who deals with published releases reads alike:
// the device that may install one, the maker who publishes it, and whoever watches the
// maker. It knows versions, what a release says of itself, its leaf in the release log,
// the log's tiles and checkpoints with their witnesses, and the anchors of an image. It
// knows neither TUF nor HTTP. docs/updates.md describes all of it.
package release
