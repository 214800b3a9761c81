// Package browser holds tests of the owner's page in a real browser: Debian's
// Chromium, driven over the DevTools protocol, against camdemo with camd as
// its own process. It holds tests only.
package browser
