package hostile

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// Client makes requests to one device over a hostile broker. It keeps to nothing:
// not to its topic, and not to any form.
type Client struct {
	Keys   *home.Keys // its own, or stolen ones
	Device proto.DeviceID
	Trio   envelope.Trio // of the household that it speaks to
	Cp     string        // the last checkpoint that an answer brought
	Nonce  string        // the last one heard

	tb     testing.TB
	broker *Broker
	seq    uint64
	read   int // of the broker's messages
	got    map[string]proto.Answer
}

// NewClient makes one that knows what record says, which need not be its own.
func NewClient(tb testing.TB, b *Broker, keys *home.Keys, record home.Record) *Client {
	tb.Helper()
	key, err := x509.ParsePKIXPublicKey(record.Identity)
	if err != nil {
		tb.Fatal(err)
	}
	trio, err := envelope.VerifyTrio([]byte(record.Trio), key.(*ecdsa.PublicKey))
	if err != nil {
		tb.Fatal(err)
	}
	return &Client{Keys: keys, Device: record.Device, Trio: trio, tb: tb, broker: b, got: map[string]proto.Answer{}}
}

// Stranger makes one with new keys that nobody has enrolled.
func Stranger(tb testing.TB, b *Broker, record home.Record) *Client {
	tb.Helper()
	keys, err := home.NewKeys()
	if err != nil {
		tb.Fatal(err)
	}
	return NewClient(tb, b, keys, record)
}

// Topic is where its requests belong.
func (c *Client) Topic() string { return proto.TopicIn(c.Device, c.Keys.ID()) }

// Request makes a well-formed request under the nonce that was heard last and the
// next sequence number.
func (c *Client) Request(op proto.Op, sid string, body any) *Forgery {
	c.seq = max(uint64(time.Now().UnixMicro()), c.seq+1)
	f := &Forgery{
		Header: map[string]any{"alg": "ES256", "typ": envelope.TypeRequest, "kid": string(c.Keys.ID())},
		Claims: map[string]any{"iss": c.Keys.ID(), "aud": c.Device, "ep": c.Trio.Epoch, "jti": rand.Text(), "iat": time.Now().Unix(), "op": op},
		Sign:   ES256(c.Keys.Signer()), To: c.Trio.Enc,
		SealHeader: map[string]any{"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT"},
	}
	if op != proto.OpHello {
		f.Claims["non"], f.Claims["seq"] = c.Nonce, c.seq
	}
	if sid != "" {
		f.Claims["sid"] = sid
	}
	if body != nil {
		f.Claims["body"] = body
	}
	if c.Cp != "" {
		f.Claims["cp"] = c.Cp
	}
	return f
}

// Send publishes f where it belongs.
func (c *Client) Send(f *Forgery) { c.broker.Publish(c.Topic(), f.Seal(), false) }

// Do sends f and waits for its answer.
func (c *Client) Do(f *Forgery) proto.Answer {
	c.tb.Helper()
	c.Send(f)
	return c.Await(f.Claims["jti"].(string))
}

// Hello fetches a nonce. When it returns, camd has decided about all that was
// published before; what it admitted may still be under way. It asks again while it
// is not heard, because the connection or the rate of its topic is exhausted.
func (c *Client) Hello() proto.Answer {
	c.tb.Helper()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		f := c.Request(proto.OpHello, "", nil)
		c.Send(f)
		if c.broker.find(helloTime, c.answers(f.Claims["jti"].(string))) != nil {
			return c.Answers()[f.Claims["jti"].(string)]
		}
	}
	c.tb.Fatal("hello is never answered")
	return proto.Answer{}
}

const helloTime = 2 * time.Second

// Settle is Hello, and waits too until everything is done that this client was
// admitted with before: requests of one client are carried out in their order. Only
// a client that is enrolled can settle.
func (c *Client) Settle() {
	c.tb.Helper()
	c.Hello()
	if a := c.Do(c.Request(proto.OpStatus, "", nil)); a.Code != proto.CodeOK {
		c.tb.Fatalf("status is answered %q", a.Code)
	}
}

// Await waits for the answer to a request.
func (c *Client) Await(jti string) proto.Answer {
	c.tb.Helper()
	c.broker.Await("the answer to "+jti, c.answers(jti))
	return c.Answers()[jti]
}

// answers tells, of whatever message, whether a request is answered by now. Each
// message is opened once.
func (c *Client) answers(jti string) func(Message) bool {
	return func(Message) bool {
		_, ok := c.Answers()[jti]
		return ok
	}
}

// Answers lists the answers so far by the jti that they are to.
func (c *Client) Answers() map[string]proto.Answer {
	all := c.broker.Messages()
	for _, m := range all[c.read:] {
		if m.Topic != proto.TopicOut(c.Device, c.Keys.ID()) || m.Client == "" {
			continue
		}
		if a := c.open(m); a.Re != "" {
			c.got[a.Re] = a
			c.Nonce, c.seq = a.Nonce, max(c.seq, a.Sequence)
			if a.Checkpoint != "" {
				c.Cp = a.Checkpoint
			}
		}
	}
	c.read = len(all)
	return c.got
}

// open reads an answer; it is empty if m is none.
func (c *Client) open(m Message) proto.Answer {
	out, err := envelope.OpenOut(m.Payload, c.Keys.Opener(), c.Trio.Sig)
	if err != nil || out.Answer == nil {
		return proto.Answer{}
	}
	return *out.Answer
}
