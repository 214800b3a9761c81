// Package netlab puts a home, the internet and viewers into network namespaces, and joins
// them by links with a rate, a queue, a delay and losses:
//
//	camera ───┐
//	          ├─ home ──[tbf]── relay ── internet ──[tbf]── viewer
//	computer ─┘
//
// The home's uplink is a token bucket of the kernel (tc-tbf(8)) on a TUN interface. What
// leaves it is read by a relay in this process, which delays and loses packets, since not
// every kernel has netem, and writes them to a TUN interface of the internet. Addresses are
// not changed, so ICE, DTLS and TURN work as they do outside. The internet is the namespace of
// the process itself: brokers and TURN servers are started there.
//
// Everything lives in namespaces that Command makes for one process. All of it ends with that
// process, however it ends. It owns nothing else, and refuses to work outside them.
package netlab
