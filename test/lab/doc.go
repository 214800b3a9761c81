// Package lab is a virtual camera: a QEMU guest with Debian's own ARM kernel that
// has real V4L2, UVC, ALSA, input and block devices though the machine has none, and
// runs the release binaries unchanged.
//
// It can also be a whole device: U-Boot, a disk of the image's layout, and a root file
// system of Debian's packages with the image's own files, since Buildroot can't be built
// where its sources can't be had. Its kernel is Debian's too, with what it has as modules
// loaded by a first process that then makes the root device as the image's kernel would
// (test/lab/initrd).
//
// It owns what a guest is made of (kernel and modules from apt, cached by version;
// an initramfs; a first process in test/lab/guest) and the network namespace that
// guest and peers share. It refuses nothing. A guest ends with the test that
// booted it; its console is shown when that test fails.
//
// The tests need qemu-system-arm, apt-get, dpkg-deb, ffmpeg, mke2fs and, for the release
// binaries, the cross compilers. A test that lacks one says so and skips.
package lab
