package auth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/camd-project/camd/pkg/proto"
)

// Bounds of what is kept in RAM for each member. docs/protocol.md 5.5.
const (
	maxQueue       = 32
	maxAnswers     = 32
	maxAnswerBytes = 64 << 10
	answerLife     = 10 * time.Minute
)

// memberQueue is what is kept of one member since the start. queues.mu guards it, except for
// what one goroutine alone uses.
type memberQueue struct {
	member     *member
	highest    uint64       // sequence
	jobs       chan job     // to its worker; closed by close or dropFormer
	executions []*execution // oldest first
	gone       atomic.Bool  // dropped: what waits in its queue is of a membership that is over
}

// queues decides about nonce, sequence and repetition of requests, and hands them in order
// to one worker for each member. It is safe for concurrent use.
type queues struct {
	members *members
	nonces  nonces

	mu       sync.Mutex
	root     context.Context                     // of every right; nil while closed
	work     func(context.Context, *memberQueue) // the worker of a member
	byMember map[proto.ClientID]*memberQueue
	workers  sync.WaitGroup
}

// open lets requests in. Each member's first starts a worker.
func (q *queues) open(root context.Context, work func(context.Context, *memberQueue)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.root, q.work = root, work
}

// close lets no request in any more. The workers end when they have emptied their queues.
func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.root = nil
	for id, mq := range q.byMember {
		close(mq.jobs)
		delete(q.byMember, id)
	}
}

// job is an admitted request on its way to the worker.
type job struct {
	request   proto.Request
	execution *execution
	until     time.Time // when it is stale
	again     bool      // it was carried out; its answer is given again
}

// outcome is what an answer says.
type outcome struct {
	code  proto.Code
	body  json.RawMessage
	entry *uint64 // in the access log
	clock int64   // proto.Answer.Clock

	later func() outcome // waits for people, and then returns the outcome; nil: this is the outcome
}

func coded(c proto.Code) outcome { return outcome{code: c} }

// execution is a request that is being carried out or was, with its answer, which is given
// again when the request is repeated.
type execution struct {
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
	mq := q.byMember[m.id]
	if mq == nil {
		mq = &memberQueue{jobs: make(chan job, maxQueue)}
		q.byMember[m.id] = mq
		root := q.root
		q.workers.Go(func() { q.work(root, mq) })
	}
	mq.member = m
	if r.Op == proto.OpHello {
		return mq.highest, &outcome{code: proto.CodeOK}, -1
	}
	until := q.nonces.until(r.Nonce, r.TTL)
	if !time.Now().Before(until) {
		return mq.highest, &outcome{code: proto.CodeStale}, dropStale
	}
	if r.Sequence <= mq.highest {
		return mq.highest, &outcome{code: proto.CodeStale}, dropReplay
	}
	mq.highest = r.Sequence
	e := mq.find(r.ID)
	again := e != nil
	switch {
	case again && e.digest != digest(r):
		return mq.highest, &outcome{code: proto.CodeBadRequest}, -1
	case again && !e.done:
		return mq.highest, nil, dropDuplicate // its answer is on the way
	case !again:
		e = &execution{id: r.ID, digest: digest(r), at: time.Now()}
	}
	select {
	case mq.jobs <- job{request: r, execution: e, until: until, again: again}:
		if !again {
			mq.executions = append(mq.executions, e)
		}
		return mq.highest, nil, -1
	default:
		return mq.highest, &outcome{code: proto.CodeBusy}, dropBusy
	}
}

// addressee returns to whom an answer goes, and its highest sequence.
func (q *queues) addressee(mq *memberQueue) (m *member, highest uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return mq.member, mq.highest
}

// dropFormer drops what is kept of clients that are no members any more, and ends the life of
// every nonce: if such a client becomes a member again, nothing counts that it sent before,
// whether it was held back on its way or is still in the queue. docs/protocol.md 5.3.
func (q *queues) dropFormer() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nonces.clear()
	for id, mq := range q.byMember {
		if q.members.get(id) == nil {
			mq.gone.Store(true)
			close(mq.jobs)
			delete(q.byMember, id)
		}
	}
}

// find returns the request with this id that was carried out or is being carried out; nil if
// there is none.
func (mq *memberQueue) find(id string) *execution {
	for _, e := range mq.executions {
		if e.id == id && (!e.done || time.Since(e.at) < answerLife) {
			return e
		}
	}
	return nil
}

// keepAnswer keeps the answer to a request, or forgets the request if it was not executed.
// The oldest answers above the bounds go.
func (q *queues) keepAnswer(mq *memberQueue, e *execution, o outcome, executed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.outcome, e.done, e.at = o, true, time.Now()
	bytes, count := 0, 0
	kept := make([]*execution, 0, len(mq.executions))
	for i := len(mq.executions) - 1; i >= 0; i-- { // newest first
		old := mq.executions[i]
		if old.done {
			bytes, count = bytes+len(old.outcome.body), count+1
			if old == e && !executed || bytes > maxAnswerBytes || count > maxAnswers || time.Since(old.at) >= answerLife {
				continue
			}
		}
		kept = append(kept, old)
	}
	slices.Reverse(kept)
	mq.executions = kept
}
