// Package accesslog keeps who did what, when and how it ended. It owns the bytes
// of an entry, which are final (a tree will hash them as they stand), and the
// log's buckets in log.db. docs/protocol.md 6.
//
// An entry is durable when Append returns nil; when it returns an error nothing
// that needed the entry may start. The texts are bounded (MaxTexts): the oldest
// go first, and leave their hash behind. The package starts nothing and ends
// with the store that it was given.
package accesslog
