// Package lens reads codes for cameras (docs/protocol.md 3.12) out of the camera's own
// picture: a few pictures a second, and only while the pairing window is open and nobody is
// in a conversation with the device.
//
// The library that decodes QR codes never runs in camd itself. It gets the pictures in
// a process of its own, which lives while codes are looked for and is ended when it
// fails, or takes too long: whoever holds something strange in front of the camera can
// stop the reading of codes at most.
//
// It knows no label's secret: what a code says, and whether to believe it, is for who
// takes it. Run is the only goroutine but for one that each picture's time limit needs;
// when it returns, the process is gone and the camera has its own format again.
package lens
