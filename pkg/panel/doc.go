// Package panel is what people touch at the device: the pairing button and the
// privacy button, read from Linux input devices.
//
// It owns no button: a device that is missing or unplugged is a condition of health
// and is looked for every few seconds. It decides nothing about the household either:
// it tells gestures apart, counts down before what can't be undone, and calls the
// actions that it was given. Whoever can press a button is at the device; there is
// nothing remote here. Run has closed the devices when it returns.
package panel
