package accesslog

import (
	"testing"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

var benchEntry = Entry{Kind: KindLive, Time: 1796295600000, Client: anna, Name: "Anna", Op: proto.OpLive,
	Scopes: []proto.Scope{proto.ScopeView, proto.ScopeListen}, Network: NetMQTT, Session: "0123456789abcdef"}

// BenchmarkAppend is one durable entry with its tree; BenchmarkAppendBare is the
// same text alone, one transaction of bbolt.
func BenchmarkAppend(b *testing.B) {
	l := testLog(b, testDB(b), 1)
	for b.Loop() {
		if _, err := l.Append(benchEntry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBare(b *testing.B) {
	db := testDB(b)
	text, err := benchEntry.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	var n uint64
	for b.Loop() {
		if err := db.Update(func(tx *store.Tx) error { return texts(1).Append(tx, store.Key64(n), text) }); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// benchLog is a log of 20000 entries, and its checkpoint at half of them.
func benchLog(b *testing.B) (*Log, Checkpoint) {
	l := testLog(b, testDB(b), 1)
	many := make([]Entry, 10000)
	for i := range many {
		many[i] = benchEntry
	}
	var half Checkpoint
	for range 2 {
		var err error
		half = l.signed
		if _, err = l.Append(many...); err == nil {
			_, err = l.Checkpoint()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return l, half
}

// BenchmarkProve is what an answer with proofs costs beside its append.
func BenchmarkProve(b *testing.B) {
	l, half := benchLog(b)
	for b.Loop() {
		if _, _, _, err := l.Prove(half.Note, new(uint64(15000))); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMerge looks at as many entries as one call does, and finds nothing.
func BenchmarkMerge(b *testing.B) {
	l, _ := benchLog(b)
	for b.Loop() {
		if _, err := l.Merge(); err != nil {
			b.Fatal(err)
		}
	}
}
