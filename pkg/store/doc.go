// Package store keeps what must survive a power cut: bbolt files with a schema
// version, buckets of plain or sealed values, the sealing key's file, and atomic
// writes of small files.
//
// It refuses to open a file that a completed check did not find sound, a file of
// a newer schema, and one that another process holds. The check runs in a
// short-lived child, because a damaged file can bring bbolt down. Only a check
// that ran to its end and found wrong structure is damage (ErrDamaged); an I/O
// error, a time-out or a killed child is not, and then nothing is set aside and
// nothing is wiped. docs/protocol.md 11.
//
// A DB ends with Close, which waits for the transactions that are under way.
package store
