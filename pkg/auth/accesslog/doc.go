// Package accesslog keeps who did what, when and how it ended, so that nobody can
// change it unseen: the entries of an epoch are the leaves of a tree (RFC 6962), whose
// state the device signs, and clients verify that it only grows. The package owns the
// bytes of an entry, which are final, the checkpoints and proofs of both sides, and
// the log's buckets in log.db. docs/protocol.md 6.
//
// An entry is durable when Append returns nil; when it returns an error nothing
// that needed the entry may start, and nothing has changed. The texts are bounded
// (MaxTexts, DropBefore, Merge), and so are their hashes (KeptHashes): a Front stands for
// the oldest, so that the tree still is over all entries and never ends. The package starts
// nothing and ends with the store that it was given.
package accesslog
