// Package congestion finds out how much a viewer's network path carries, and says how
// fast packets may leave.
//
// The receiver reports when each packet arrived (transport-wide feedback), and the
// Controller derives from it an estimate by draft-ietf-rmcat-gcc-02: delay that grows
// lowers it, loss bounds it, and probes find what is free above it. The package has no
// goroutine, no clock and no lock of its own; the goroutine that sends calls it.
//
// A report goes through these files: report.go reads it, history.go knows the packets
// that it names, arrival.go makes groups of them, trend.go says whether their delay
// grows, delivered.go at which rate they arrive, queue.go how long they wait, train.go
// what packets in a row tell, and loss.go what loss means. rate.go moves the estimate,
// and probe.go plans probes.
//
// Each constant names its source. Where the draft is silent or libwebrtc has gone on,
// the value is libwebrtc's (modules/congestion_controller/goog_cc, and
// modules/remote_bitrate_estimator for the rate). These parts are this package's own:
//
//   - Loss below a tenth is put to a trial (loss.go); the draft only stops growing.
//   - Pictures that leave in a long enough train are measured as probes are (train.go),
//     and probes go on while the path's limit isn't reached, not only when the
//     application sends little.
//   - A queue is given time to become empty: the estimate is lower until then (queue.go).
//     That lasts two seconds at most, so that a TCP flow that keeps the queue full
//     doesn't push this one away.
//   - The pacing rate is bounded by what a full path was seen to carry, and is the
//     estimate while there is a queue or after loss by congestion.
package congestion
