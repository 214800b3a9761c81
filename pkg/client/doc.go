// Package client is the owner's side of camd: it pairs with a camera, keeps the
// client's keys and what it knows of its cameras in a folder, seals requests and
// verifies answers over MQTT, and watches a camera over WebRTC. camctl, the demo,
// the lab and the attack tests are built on it.
//
// It refuses every answer that the paired household did not sign, files of a
// version that it does not know, and a broker whose certificate it can't verify.
// A Conn ends with Close, a Session with Close or when its connection is lost;
// both have joined their goroutines when Close returns.
package client
