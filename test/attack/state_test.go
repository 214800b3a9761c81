package attack

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/camd-project/camd/pkg/auth/accesslog"
	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// as makes a hostile client that has the keys of a member, or of one who was.
func (h *house) as(keys *home.Keys) *hostile.Client {
	h.t.Helper()
	c := hostile.NewClient(h.t, h.evil, keys, h.owner.Record())
	c.Nonce = h.probe.Hello().Nonce
	return c
}

// does has c carry out op as one who has just looked, and wants code for an answer.
func (h *house) does(c *hostile.Client, op proto.Op, body any, code proto.Code) proto.Answer {
	h.t.Helper()
	c.Settle()
	a := c.Do(c.Request(op, "", body))
	if a.Code != code {
		h.t.Errorf("%s %+v is answered %q, not %q", op, body, a.Code, code)
	}
	return a
}

// invite lets a new key in, at the request of c.
func (h *house) invite(c *hostile.Client, g proto.Grant) *home.Keys {
	h.t.Helper()
	keys := newKeys(h.t)
	h.does(c, proto.OpGrant, rig.Complete(h.t, keys, g), proto.CodeOK)
	return keys
}

// local asks camd on its socket.
func (h *house) local(cmd string, from uint64) (a struct {
	Members []proto.Member
	Log     proto.LogAnswer
},
) {
	h.t.Helper()
	line, err := client.Ask(h.t.Context(), h.Socket, map[string]any{"cmd": cmd, "from": from})
	if err == nil {
		err = json.Unmarshal(line, &a)
	}
	if err != nil {
		h.t.Fatalf("%s on the local socket: %v", cmd, err)
	}
	return a
}

// names lists the members' names, in order, as someone at the camera reads them.
func (h *house) names() []string {
	h.t.Helper()
	l := []string{}
	for _, m := range h.local("members", 0).Members {
		l = append(l, m.Name)
	}
	slices.Sort(l)
	return l
}

// entries reads the access log as someone at the camera does.
func (h *house) entries() (l []accesslog.Entry) {
	h.t.Helper()
	for from := uint64(0); ; {
		a := h.local("log", from).Log
		for _, r := range a.Records {
			e, err := accesslog.Parse([]byte(r.Text))
			if err != nil {
				h.t.Fatalf("entry %d: %v", r.Index, err)
			}
			l = append(l, e)
		}
		if from = a.Next; from == 0 {
			return l
		}
	}
}

// entered counts the entries of a kind.
func (h *house) entered(k accesslog.Kind) (n int) {
	h.t.Helper()
	for _, e := range h.entries() {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// stop stops camd in good order.
func (h *house) stop() {
	h.t.Helper()
	if err := h.Signal(syscall.SIGTERM); err != nil {
		h.t.Fatalf("camd ended with %v", err)
	}
}

// again starts camd and waits until it is online.
func (h *house) again() {
	h.t.Helper()
	h.Start()
	h.Online()
	h.probe.Hello()
}

// copyTo copies a folder or file, whose copy there must not be yet.
func copyTo(t *testing.T, to, from string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v\n%s", from, err, out)
	}
}

// putBack replaces a folder or file by an earlier copy.
func putBack(t *testing.T, to, from string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	copyTo(t, to, from)
}
