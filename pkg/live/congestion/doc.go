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
// what packets in a row tell, and loss.go what loss means. update.go puts together what
// these have found: rate.go then moves the estimate, and probe.go plans probes. idle.go
// says when the sender, not the path, is the limit. reception.go takes receiver reports
// and the receiver's own estimate (REMB).
//
// Each constant names its source. Where the draft is silent or libwebrtc has gone on,
// the value is libwebrtc's (modules/congestion_controller/goog_cc, and
// modules/remote_bitrate_estimator for the rate). These parts are this package's own:
//
//   - Loss below a tenth is put to a trial (loss.go); the draft only stops growing.
//   - Pictures that leave in a long enough train are measured as probes are (train.go),
//     and probes go on while the path's limit isn't reached, not only when the
//     application sends little.
//   - Estimate is lower while there is a queue, so that the queue becomes empty
//     (queue.go). That lasts two seconds at most: otherwise a TCP flow that keeps the
//     queue full would push this one away.
//   - PacingRate, if no probe is under way, is bounded by what the path was found to carry
//     when it was full (pacingAbove). While there is a queue, and after loss by congestion,
//     it is no higher than Estimate.
package congestion
