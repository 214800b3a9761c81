package auth

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what is kept in RAM for each member. docs/protocol.md 5.5.
const (
	maxQueue      = 32
	maxFirst      = 32
	maxFirstBytes = 64 << 10
	firstLife     = 10 * time.Minute
)

// peer is what is kept of one member since the start. queues.mu guards it, except for what
// one goroutine alone uses.
type peer struct {
	member  *member
	highest uint64      // sequence
	queue   chan job    // to its worker; closed by close or dismiss
	firsts  []*first    // of executed requests, oldest first
	gone    atomic.Bool // dismissed: what waits in its queue is of a membership that is over
}

// queues decides about nonce, sequence and repetition of requests, and hands them in order
// to one worker for each member. It is safe for concurrent use.
type queues struct {
	members *members
	nonces  nonces

	mu      sync.Mutex
	root    context.Context              // of every right; nil while closed
	work    func(context.Context, *peer) // the worker of a member
	peers   map[proto.ClientID]*peer
	workers sync.WaitGroup
}

func newQueues(ms *members) *queues {
	q := &queues{members: ms, peers: map[proto.ClientID]*peer{}}
	q.nonces.rotate()
	return q
}

// open lets requests in. Each member's first starts a worker.
func (q *queues) open(root context.Context, work func(context.Context, *peer)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.root, q.work = root, work
}

// close lets no request in any more. The workers end when they have emptied their queues.
func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.root = nil
	for id, p := range q.peers {
		close(p.queue)
		delete(q.peers, id)
	}
}

// job is an admitted request on its way to the worker.
type job struct {
	request proto.Request
	first   *first
	again   bool // it was carried out; its first answer is given again
}

// first is the first answer to a request, which is given again when the request is repeated.
type first struct {
	id      string
	digest  [sha256.Size]byte // of what must not change in a repetition
	done    bool              // false: it is being carried out
	outcome outcome
	at      time.Time
}

// digest is over what a repetition keeps. Lengths are not needed: op and sid can't have a
// line end.
func digest(r proto.Request) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(string(r.Op)+"\n"+r.Session+"\n"), r.Body...))
}

// add decides about a request of m, and hands it to the member's worker, which it starts for
// the first request. It returns the highest sequence, an answer if there is one already, and
// what to count, or -1.
func (q *queues) add(m *member, r proto.Request) (uint64, *outcome, drop) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.root == nil {
		return 0, nil, dropBusy // not serving yet, or stopping
	}
	p := q.peers[m.id]
	if p == nil {
		p = &peer{queue: make(chan job, maxQueue)}
		q.peers[m.id] = p
		root := q.root
		q.workers.Go(func() { q.work(root, p) })
	}
	p.member = m
	if r.Op == proto.OpHello {
		return p.highest, &outcome{code: proto.CodeOK}, -1
	}
	if !q.nonces.live(r.Nonce) {
		return p.highest, &outcome{code: proto.CodeStale}, dropStale
	}
	if r.Sequence <= p.highest {
		return p.highest, &outcome{code: proto.CodeStale}, dropReplay
	}
	p.highest = r.Sequence
	f := p.find(r.ID)
	again := f != nil
	switch {
	case again && f.digest != digest(r):
		return p.highest, &outcome{code: proto.CodeBadRequest}, -1
	case again && !f.done:
		return p.highest, nil, dropDuplicate // its answer is on the way
	case !again:
		f = &first{id: r.ID, digest: digest(r), at: time.Now()}
	}
	select {
	case p.queue <- job{request: r, first: f, again: again}:
		if !again {
			p.firsts = append(p.firsts, f)
		}
		return p.highest, nil, -1
	default:
		return p.highest, &outcome{code: proto.CodeBusy}, dropBusy
	}
}

// addressee returns to whom an answer goes, and its highest sequence.
func (q *queues) addressee(p *peer) (m *member, highest uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return p.member, p.highest
}

// idle waits until nobody holds the queues.
func (q *queues) idle() {
	q.mu.Lock()
	defer q.mu.Unlock()
}

// dismiss drops what is kept of clients that are no members any more, and ends the life of
// every nonce: if such a client becomes a member again, nothing counts that it sent before,
// whether it was held back on its way or is still in the queue. docs/protocol.md 5.3.
func (q *queues) dismiss() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nonces.renew()
	for id, p := range q.peers {
		if q.members.get(id) == nil {
			p.gone.Store(true)
			close(p.queue)
			delete(q.peers, id)
		}
	}
}

// find returns the request with this id that was carried out or is being carried out; nil if
// there is none.
func (p *peer) find(id string) *first {
	for _, f := range p.firsts {
		if f.id == id && (!f.done || time.Since(f.at) < firstLife) {
			return f
		}
	}
	return nil
}

// settle keeps the first answer to a request, or forgets the request if it was not executed.
// The oldest answers above the bounds go.
func (q *queues) settle(p *peer, f *first, o outcome, executed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	f.outcome, f.done, f.at = o, true, time.Now()
	bytes, count := 0, 0
	kept := make([]*first, 0, len(p.firsts))
	for i := len(p.firsts) - 1; i >= 0; i-- { // newest first
		old := p.firsts[i]
		if old.done {
			bytes, count = bytes+len(old.outcome.body), count+1
			if old == f && !executed || bytes > maxFirstBytes || count > maxFirst || time.Since(old.at) >= firstLife {
				continue
			}
		}
		kept = append(kept, old)
	}
	slices.Reverse(kept)
	p.firsts = kept
}
