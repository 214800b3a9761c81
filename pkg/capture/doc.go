// Package capture is camd's camera. It chooses a device and a format, keeps the
// camera running through unplugging, errors and hangs, and publishes H.264 access
// units on a media feed.
//
// If a camera gives H.264, its pictures are copied once and always published as they are,
// so that a viewer who joins finds a full packet buffer. They are never decoded. Raw pictures
// and motion JPEG are always captured, so that faults are known, but encoded only while the
// feed is wanted, beginning with an IDR. Now and then one is converted all the same, so that
// unusable pictures are noticed before anybody watches.
//
// Raw pictures and motion JPEG can be encoded once more, smaller and with fewer bits, for
// viewers with a slow connection. This second stream has a feed, a format and keyframes of
// its own; it never costs the first one a picture, but leaves out its own.
//
// Besides V4L2 devices there are sources for tests, demonstrations and measurements:
// synthetic pictures, an H.264 file that is played in a loop, and a folder of pictures,
// which are codes for the camera to read.
//
// It refuses B-frames, which live video can't use, and never changes a picture's size.
// Health reports every fault in a sentence that says what to do, and the camera is tried
// again. Run returns when its context ends, with the device closed.
package capture
