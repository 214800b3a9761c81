package accesslog

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// state64 is how many bytes of texts the log counts.
func state64(t *testing.T, l *Log) (n uint64) {
	t.Helper()
	err := l.db.View(func(tx *store.Tx) error {
		p, err := readPruned(tx, l.epoch)
		n = p.texts
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// textBytes is how many bytes of texts there are.
func textBytes(t *testing.T, l *Log) (n uint64) {
	t.Helper()
	err := l.db.View(func(tx *store.Tx) error {
		return texts(l.epoch).ForEach(tx, "", func(_ string, v []byte) error { n += uint64(len(v)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// clocked gives entries a time, a second after the one before.
type clocked struct {
	*testing.T
	*Log
	now time.Time
}

func (c *clocked) entry(e Entry) (n uint64) {
	c.Helper()
	c.together(func(add func(Entry) uint64) { n = add(e) })
	return n
}

// together makes one transaction of many entries, for speed.
func (c *clocked) together(f func(add func(Entry) uint64)) {
	c.Helper()
	err := c.db.Update(func(tx *store.Tx) (err error) {
		f(func(e Entry) uint64 {
			c.now = c.now.Add(time.Second)
			e.Time = c.now.UnixMilli()
			n, addErr := c.add(tx, []Entry{e})
			err = errors.Join(err, addErr)
			return n
		})
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
}

func (c *clocked) sessions(n int, who proto.ClientID, name string, took time.Duration, scopes ...proto.Scope) {
	c.Helper()
	c.together(func(add func(Entry) uint64) {
		for range n {
			begin := add(Entry{Kind: KindLive, Client: who, Name: name, Op: proto.OpLive, Scopes: scopes})
			c.now = c.now.Add(took - time.Second)
			add(Entry{Kind: KindEnd, Client: who, Name: name, Op: proto.OpLive, Start: begin, Reason: proto.EndBye})
		}
	})
}

func newClocked(t *testing.T) *clocked {
	c := &clocked{t, testLog(t, testDB(t), 1), noon}
	c.entry(Entry{Kind: KindEpoch})
	return c
}

func (c *clocked) merge(want int) {
	c.Helper()
	if n, err := c.Merge(); err != nil || n != want {
		c.Fatalf("merged %d, %v; want %d", n, err, want)
	}
}

func (c *clocked) newest() (Entry, uint64) {
	c.Helper()
	n, err := c.Head()
	if err != nil {
		c.Fatal(err)
	}
	r, err := c.Read(n-1, 1)
	if err != nil {
		c.Fatal(err)
	}
	e, err := Parse(r[0].Text)
	if err != nil {
		c.Fatal(err)
	}
	return e, n
}

// One member's many short sessions become one entry, and nothing of the others goes.
func TestMerge(t *testing.T) {
	c := newClocked(t)
	c.sessions(50, anna, "Anna", time.Second, proto.ScopeView)
	others := []uint64{c.entry(Entry{Kind: KindRevoke, Client: ben, Subject: "x"})}
	first, err := c.Head()
	if err != nil {
		t.Fatal(err)
	}
	c.sessions(3, ben, "Ben", time.Second, proto.ScopeView)
	for i := range uint64(6) {
		others = append(others, first+i)
	}
	first += 6
	c.sessions(2, anna, "Anna", time.Minute, proto.ScopeTalk) // long ones
	for i := range uint64(4) {
		others = append(others, first+i)
	}
	others = append(others, c.entry(Entry{Kind: KindLive, Client: anna, Scopes: []proto.Scope{proto.ScopeTalk}})) // has no end
	c.sessions(100, anna, "Anna B.", 9*time.Second, proto.ScopeView, proto.ScopeListen)
	before := head(t, c.Log)
	size := before.Size

	c.merge(150 - keepShort)
	e, n := c.newest()
	if n != size+1 || e.Kind != KindMerged || e.Client != anna || e.Name != "Anna B." || e.Count != 150-keepShort || e.Start != 1 ||
		!slices.Equal(e.Scopes, []proto.Scope{proto.ScopeView, proto.ScopeListen}) || e.From != noon.Unix()+2 || e.Until <= e.From {
		t.Errorf("merged: %+v", e)
	}
	want := append([]uint64{0}, others...)
	for i := e.Last + 1; i < n; i++ {
		want = append(want, i)
	}
	if got := kept(t, c.Log, 1); !slices.Equal(got, want) || len(got) != 1+len(others)+2*keepShort+1 {
		t.Errorf("kept %v\nwant %v", got, want)
	}
	now, p, _, err := c.Prove(before.Note, nil)
	if err != nil || VerifyConsistency(before, now, p) != nil {
		t.Errorf("the log after: %v", err)
	}
	if state64(t, c.Log) != textBytes(t, c.Log) {
		t.Errorf("%d bytes counted, %d there", state64(t, c.Log), textBytes(t, c.Log))
	}
	c.merge(0)
	if _, again := c.newest(); again != n {
		t.Error("an idle call wrote something")
	}
	// The oldest texts go on to go first, past the holes.
	if n, err := c.DropBefore(c.now.Add(time.Hour)); err != nil || n != len(want)-1 {
		t.Errorf("dropped %d of %d, %v", n, len(want), err)
	}
	if state64(t, c.Log) != textBytes(t, c.Log) {
		t.Errorf("at last %d bytes counted, %d there", state64(t, c.Log), textBytes(t, c.Log))
	}
}

// Whatever a member may begin over and over is merged, talks that were refused in the
// room and pictures too.
func TestMergeOfEachKind(t *testing.T) {
	for kind, op := range map[Kind]proto.Op{KindLive: proto.OpLive, KindTalk: proto.OpTalk, KindSnapshot: proto.OpSnapshot} {
		c := newClocked(t)
		c.together(func(add func(Entry) uint64) {
			for range tooMany {
				begin := add(Entry{Kind: kind, Client: anna, Name: "Anna", Op: op})
				add(Entry{Kind: KindEnd, Client: anna, Name: "Anna", Op: op, Start: begin, Reason: string(proto.CodeNoSession)})
			}
		})
		c.merge(tooMany - keepShort)
		if e, _ := c.newest(); e.Kind != KindMerged || e.Op != op || e.Count != tooMany-keepShort {
			t.Errorf("%s: %+v", kind, e)
		}
	}
}

func TestMergeLeaves(t *testing.T) {
	for name, f := range map[string]func(*clocked){
		"an empty log": func(*clocked) {},
		"not too many": func(c *clocked) { c.sessions(tooMany-1, anna, "Anna", time.Second) },
		"of two": func(c *clocked) {
			c.sessions(tooMany-1, anna, "", time.Second)
			c.sessions(tooMany-1, ben, "", time.Second)
		},
		"ten seconds":   func(c *clocked) { c.sessions(3*tooMany, anna, "Anna", short) },
		"clock went on": func(c *clocked) { c.sessions(3*tooMany, anna, "Anna", 24*time.Hour) },
		"clock back":    func(c *clocked) { c.sessions(3*tooMany, anna, "Anna", -time.Hour) },
		"pairs not applied": func(c *clocked) {
			c.together(func(add func(Entry) uint64) {
				for range 3 * tooMany {
					add(Entry{Kind: KindEnd, Client: anna, Start: add(Entry{Kind: KindPair, Client: anna}), Reason: ReasonNotApplied})
				}
			})
		},
		"ends of another's": func(c *clocked) {
			c.together(func(add func(Entry) uint64) {
				for range 3 * tooMany {
					add(Entry{Kind: KindEnd, Client: ben, Start: add(Entry{Kind: KindLive, Client: anna})})
				}
			})
		},
		"one that ends often": func(c *clocked) {
			i := c.entry(Entry{Kind: KindLive, Client: anna})
			c.together(func(add func(Entry) uint64) {
				for range 3 * tooMany {
					add(Entry{Kind: KindEnd, Client: anna, Start: i})
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t)
			f(c)
			c.merge(0)
		})
	}
}

// A member that begins as many short sessions as it may, for long, takes room for
// as many as stay and one entry an hour.
func TestMergeHourly(t *testing.T) {
	c := newClocked(t)
	grant := c.entry(Entry{Kind: KindGrant, Client: ben})
	for range 10 {
		c.sessions(240, anna, "Anna", time.Second, proto.ScopeView)
		if _, err := c.Merge(); err != nil {
			t.Fatal(err)
		}
	}
	got := kept(t, c.Log, 1)
	if len(got) != 2+10+2*keepShort || got[1] != grant {
		t.Errorf("%d texts stay: %v", len(got), got)
	}
}

// What went meanwhile isn't counted.
func TestMergeOfWhatIsGone(t *testing.T) {
	annas := who{anna, proto.OpLive}
	c := newClocked(t)
	c.sessions(tooMany, anna, "Anna", time.Second)
	list, err := c.shortSessions()
	if err != nil || len(list[annas]) != tooMany {
		t.Fatal(len(list[annas]), err)
	}
	if _, err := c.DropBefore(noon.Add(62 * time.Second)); err != nil { // entries 0 to 60
		t.Fatal(err)
	}
	merge := func() (n int) {
		err := c.db.Update(func(tx *store.Tx) (err error) {
			n, err = c.Log.merge(tx, annas, list[annas][:keepShort])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := merge(); n != keepShort-30 {
		t.Errorf("merged %d", n)
	}
	_, size := c.newest()
	if n := merge(); n != 0 {
		t.Errorf("again %d", n)
	}
	if _, again := c.newest(); again != size {
		t.Error("an entry about nothing")
	}
	if state64(t, c.Log) != textBytes(t, c.Log) {
		t.Errorf("%d bytes counted, %d there", state64(t, c.Log), textBytes(t, c.Log))
	}
}

// Pictures are as cheap as sessions, and are merged like these, by themselves.
func TestPicturesAreMergedToo(t *testing.T) {
	c := newClocked(t)
	c.together(func(add func(Entry) uint64) {
		for range tooMany + 1 {
			begin := add(Entry{Kind: KindSnapshot, Client: anna, Name: "Anna", Op: proto.OpSnapshot, Scopes: []proto.Scope{proto.ScopeSnapshot}})
			add(Entry{Kind: KindEnd, Client: anna, Name: "Anna", Op: proto.OpSnapshot, Start: begin, Reason: "ok"})
		}
	})
	c.sessions(tooMany-1, anna, "Anna", time.Second, proto.ScopeView)
	c.merge(tooMany + 1 - keepShort)
	head, err := c.Head()
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.Read(head-1, 1)
	if err != nil || len(l) != 1 {
		t.Fatal(len(l), err)
	}
	if e, err := Parse(l[0].Text); err != nil || e.Kind != KindMerged || e.Op != proto.OpSnapshot || e.Count != tooMany+1-keepShort || e.Start != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}
