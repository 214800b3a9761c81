// Package web holds the owner's page, a client of docs/protocol.md that runs in a browser. Its
// keys never leave the browser, and whoever serves it learns nothing: the page alone seals,
// signs and verifies. It is made of src and setup by build.mjs, with lit and lean-qr as its only libraries.
package web

import (
	"embed"
	"io/fs"
)

// Policy is the Content-Security-Policy that the page needs, and no more: no script but its
// own, and no text that becomes HTML (lit-html is lit's rule for its templates). The broker is
// wherever a camera card says, by TLS; on this machine it may do without.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"connect-src 'self' " + anyBroker + "; img-src 'self' data: blob:; media-src 'self' blob:; " +
	"manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types lit-html camd-worker"

const anyBroker = "wss: ws://127.0.0.1:* ws://localhost:*"

//go:embed dist
var dist embed.FS

// Files are the page and all that it needs, its index.html at their root.
var Files = sub(dist, "dist")

func sub(from fs.FS, folder string) fs.FS {
	files, err := fs.Sub(from, folder)
	if err != nil {
		panic(err) // the folder is a constant
	}
	return files
}

// Setup is setup.js, by which a page sets a camera up over Bluetooth or by a code, and the
// modules that it is made of. They need nothing but the Policy.
//
//go:embed setup.js setup
var Setup embed.FS
