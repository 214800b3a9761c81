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
// And it can have radios. [RadioPackages] bring a system bus, BlueZ and wpa_supplicant into a
// guest as Debian has them. Its controllers of Bluetooth are btvirt's, at the far end of serial
// lines, since Debian's kernel for ARM has no hci_vhci; those of Wi-Fi are mac80211_hwsim's.
// The peers in the air are in the same guest: a central uses hci1, and access points, hostapd
// with a DHCP server, have a network namespace of it, to which alone the way to the host
// belongs. A story that needs radios begins with wireless, or with onAir if it needs no camd,
// and goes on with what it uses of
//
//	a.bluetooth()    // hci0 is the camera's, hci1 the phone's; a.plugController, a.startBluetoothd
//	a.wifi()         // wpa_supplicant on the bus; wlan0 asks for an address when it has a carrier
//	p := a.on(accessPoint{SSID: "home", Password: "…", Security: wpa2})
//	p.off(); p.vanish(); p.again(); a.internet(false)
//
// The processes dbus, bluetoothd, controller-0, wpa_supplicant, … may be ended by these names.
// A broker at HostAddress is reached through an access point, and by nothing else.
//
// What a camera sees is set by ShowPicture: the USB camera then sends that picture as MJPEG
// and raw. vivid could show pictures only through its S-Video and HDMI inputs, which loop to
// its outputs; a webcam's input never does, and those have sizes and rates of their own.
//
// It can have a TPM: tpmrelay makes the kernel's own device, and swtpm on the host answers.
//
// It owns what a guest is made of (kernel and modules from apt, cached by version;
// an initramfs; a first process in test/lab/guest) and the network namespace that
// guest and peers share. It refuses nothing. A guest ends with the test that
// booted it; its console is shown when that test fails.
//
// The tests need qemu-system-arm, apt-get, dpkg-deb, ffmpeg, mke2fs, swtpm and, for the release
// binaries, the cross compilers. A test that lacks one says so and skips.
package lab
