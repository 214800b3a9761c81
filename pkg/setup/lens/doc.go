// Package lens reads codes for cameras (docs/protocol.md 3.12) in the camera's own picture: a
// few pictures a second, and only while the pairing window is open and nobody has a
// conversation with the device.
//
// The library that decodes QR codes never runs in camd itself. It gets the pictures in a
// process of its own, which runs while codes are looked for and is ended if it fails or takes
// too long. So an attacker in front of the camera can at most stop the reading of codes.
//
// The package knows no label's secret: the Taker decides what a code means and whether to
// trust it. Run is the only goroutine, besides one for the time limit of each picture. When it
// returns, the process has ended and the camera has its own format again.
package lens
