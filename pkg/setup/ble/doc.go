// Package ble lets a phone set the camera up over Bluetooth LE, only while the pairing window
// is open. It owns one GATT service (docs/protocol.md 14): its advertisement, the frames that
// are written to and read from its characteristics, and who may use it. It is only a
// transport: the function that it gets decides what may be said in a conversation, and by
// whom, and nothing relies on the encryption of the radio link.
//
// Server is the service without a radio: it takes the operations of peers and returns values.
// A Peripheral follows the window and offers a Server through BlueZ, over D-Bus.
//
// One peer at a time has a conversation. A Server has one goroutine for the conversation, and
// Close waits for it. When Peripheral.Run returns, everything that it started has ended.
//
// Sources: Bluetooth Core 5.3, volume 3, parts F (ATT) and G (GATT); BlueZ's
// org.bluez.GattManager, GattService, GattCharacteristic, LEAdvertisingManager,
// LEAdvertisement, Adapter and Device.
package ble
