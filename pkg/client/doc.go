// Package client is the owner's side of camd: it pairs with a camera, keeps the
// client's keys and what it knows of its cameras in a folder, seals requests and
// verifies answers over MQTT, decides with its household about members and settings,
// and watches a camera over WebRTC. camctl, the demo, the lab and the attack tests
// are built on it.
//
// It refuses every answer that the paired household did not sign, files of a
// version that it does not know, and a broker whose certificate it can't verify.
// With every answer it verifies that the camera's access log continues what it was
// and holds what was done; what contradicts that is an Alarm until it is
// acknowledged, and withholds no answer.
// A Conn ends with Close, a Session with Close or when its connection is lost;
// both have joined their goroutines when Close returns.
package client
