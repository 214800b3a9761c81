// Package store keeps what must survive a power cut: bbolt files with a schema version,
// buckets of plain or sealed values, the sealing key's file, and atomic writes of small
// files.
//
// It refuses to open a file that has not passed a complete check, a file of a newer schema,
// and one that another process has open. The check runs in a short-lived child, because a
// damaged file can crash bbolt. Only a check that was completed and found a wrong structure
// means damage (ErrDamaged). An I/O error, a time-out or a killed child does not, and then
// nothing is set aside or wiped. docs/protocol.md 11.
//
// Close waits for running transactions.
package store
