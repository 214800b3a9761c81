// Package capture is camd's camera. It chooses a device and a format, keeps the
// camera running through unplugging, errors and hangs, and publishes H.264 access
// units on a media feed.
//
// Pictures that a camera gives as H.264 are copied once and published as they
// are, always, so that a joiner's ring is full; they are never decoded. Raw
// pictures and motion JPEG are captured always, so that faults are known, but
// encoded only while the feed is wanted, beginning with an IDR. Now and then one is
// decoded all the same: pictures that can't be used are known before anybody watches.
//
// Besides a V4L2 device there are sources for tests, demonstrations and measurements:
// synthetic pictures, an H.264 file that is played in a loop, and a folder of pictures,
// which are codes that the camera is to read.
//
// It refuses B-frames, which live video can't use, and never changes a picture's
// size. Every fault ends in the health board as a sentence that says what to do,
// and in another attempt. Run ends with its context and leaves the device closed.
package capture
