// Package panel is what people touch and see at the device: the pairing button, the
// privacy button and the bell button, read from Linux input devices; the live LED,
// which shines while someone watches or listens, and the status LED.
//
// It owns no button and no LED: one that is missing or unplugged is a condition of
// health and is looked for every few seconds. It decides nothing about the household
// either: it tells gestures apart, counts down before what can't be undone, and calls
// the actions that it was given. Whoever can press a button is at the device; there is
// nothing remote here. The live LED is on only if the kernel says so, and whoever sends
// pictures or sound asks first. Run has closed the devices when it returns.
package panel
