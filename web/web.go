// Package web holds the owner's page: plain HTML, CSS and JavaScript, without a
// build step and without anything from elsewhere. The page owns the WebRTC
// connection; whoever serves it seals and forwards its messages. It starts
// nothing and refuses nothing: the server checks who asks.
package web

import "embed"

// Policy is the Content-Security-Policy that the page needs, and no more.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files are the page and all that it needs. Its requests go to paths beside its own.
//
//go:embed index.html app.js household.js loudspeaker.js talk.js style.css
var Files embed.FS

// Setup is setup.js, by which a page sets a camera up over Bluetooth or by a code, and the
// modules that it is made of. They need nothing but the Policy.
//
//go:embed setup.js setup
var Setup embed.FS
