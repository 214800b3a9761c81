// Package panel is what people touch and see at the device: the pairing button, the
// privacy button and the bell button, which are Linux input devices; the live indicator,
// an LED that is on while someone watches or listens; and the status LED.
//
// A button or LED that is missing or unplugged is reported by health, and is looked for
// every few seconds. The package decides nothing about the household: it recognises
// gestures, counts down before what can't be undone, and calls the actions that it was
// given. Whoever can press a button is at the device; nothing here is remote. The live
// indicator counts as on only if the kernel says so, and whoever sends pictures or sound
// asks first. When Run returns, the devices are closed.
package panel
