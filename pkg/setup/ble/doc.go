// Package ble lets a phone set the camera up over Bluetooth LE, while the pairing window is
// open and only then. It owns one GATT service (docs/protocol.md 14): advertising it, the
// frames that are written to and read from its characteristics, and who may use it. It is
// a transport: what is said in a conversation, and who may say it, is decided by the join
// that it is given, and nothing relies on the radio link's own encryption.
//
// Server is the service without a radio: operations of peers come in, values go out. A
// Peripheral follows the window and puts a Server before BlueZ, over D-Bus.
//
// One peer at a time has a conversation. Peripheral.Run starts what follows one opening of
// the window and ends it; a Server has one goroutine for the conversation, which ends with
// it, and joins it in Close.
//
// Sources: Bluetooth Core 5.3, volume 3, parts F (ATT) and G (GATT); BlueZ's
// org.bluez.GattManager, GattService, GattCharacteristic, LEAdvertisingManager,
// LEAdvertisement, Adapter and Device.
package ble
