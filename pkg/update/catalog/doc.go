// Package catalog finds the release that this device may install. It reads a published
// folder over HTTPS, and believes nothing of it but what TUF's roles have signed and what
// stands in the release log that its witnesses have seen. It downloads no bundle and
// installs nothing. docs/updates.md 5.
package catalog
