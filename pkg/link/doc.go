// Package link keeps the device's one connection to its broker: an MQTT 3.1.1
// session (OASIS MQTT 3.1.1) over mutual TLS 1.3, opened by the device itself.
//
// It owns the connection, the retained status topic (birth and will) and the device's only
// subscription. It carries sealed messages in both directions and understands none of
// them; the receiver verifies who sent what. Messages that are too large, too many or
// retained are dropped before any queue, counted, and reported once a minute. Every queue
// and every wait is bounded.
//
// A broker is not trusted: mqttframe refuses whatever could fill memory or upset the MQTT
// library. If a broker can't be reached, the daemon does not fail: Run tries again, with
// growing, jittered pauses of at most about a minute and a half, and the health condition
// "broker" says in a sentence what is wrong. When its context ends, Run publishes that the
// device is offline, disconnects, and returns within ten seconds, with all its goroutines.
package link
