// Package catalog finds the release that this device may install. It reads a published folder
// over HTTPS, and trusts only what TUF's roles have signed and what is in the release log that
// its witnesses have seen. It downloads no bundle and installs nothing. docs/updates.md 5.
package catalog
