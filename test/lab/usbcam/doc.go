// Package usbcam is a USB camera made of software: a UVC 1.10 device that gives
// H.264, MJPEG and YUYV and speaks USB/IP to the kernel's vhci-hcd, so that the
// stock uvcvideo driver finds, probes and streams from it like from any other.
//
// It owns the device's side of one plugged-in camera and plays its clips in a
// loop, never skipping or repeating a frame while a stream lasts. It refuses
// (stalls) every request that it does not know. Serve ends when the socket does.
//
// Sources: USB Device Class Definition for Video Devices 1.1, its payload
// documents for frame-based formats, MJPEG and uncompressed video, and the
// kernel's Documentation/usb/usbip_protocol.rst.
package usbcam
