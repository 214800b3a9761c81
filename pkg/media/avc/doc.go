// Package avc reads the outside of an H.264 bitstream (ITU-T H.264): NAL units
// of an Annex B byte stream, access units, and of sequence parameter sets what a
// session description needs. It decodes no picture.
//
// Everything here takes foreign bytes: nothing panics, nothing grows without
// bound, and what can't be understood is an error or passed over. Iteration
// allocates nothing; what it returns are slices of what it was given.
package avc
