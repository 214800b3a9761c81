// Package web holds the owner's page: plain HTML, CSS and JavaScript, without a
// build step and without anything from elsewhere. The page owns the WebRTC
// connection; whoever serves it seals and forwards its messages. It starts
// nothing and refuses nothing: the server checks who asks.
package web

import (
	"embed"
	"strings"
)

// Policy is the Content-Security-Policy that the page needs, and no more.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
	"media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Files are app.js, household.js, loudspeaker.js, talk.js and style.css.
//
//go:embed app.js household.js loudspeaker.js talk.js style.css
var Files embed.FS

//go:embed index.html
var index string

// Index is the page for one run: token goes into the paths of its requests.
// token must be base64url.
func Index(token string) string { return strings.Replace(index, "{token}", token, 1) }
