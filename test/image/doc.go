// Package image tests, on the machine that builds, what an image and an update bundle are
// made by: the scripts and templates that all boards share. What needs a device to boot is
// in test/lab.
//
// The tests need mkimage, genimage, mke2fs, mksquashfs, veritysetup, openssl, rauc and
// fw_printenv. A test that lacks one says so and skips.
package image
