package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
)

// pairCmd asks the running camd to open its pairing window.
type pairCmd struct {
	configFlag
	Window time.Duration `arg:"--window" help:"how long the window stays open" default:"5m" placeholder:"TIME"`
	Name   string        `arg:"--name" help:"the name that the household will see for the new owner" default:"owner"`
}

// Run opens the window.
func (p pairCmd) Run(env *environment) error {
	cfg, err := p.load()
	if err != nil {
		return err
	}
	if _, err := ask(cfg.Device.Socket, adminRequest{Cmd: "pair", WindowSeconds: int(p.Window.Seconds()), Name: p.Name}); err != nil {
		return err
	}
	if _, err = fmt.Fprintf(env.out, "The pairing window is open until %s. Pair with: camctl pair --socket %s --label 'CAMD:1?...'\n", time.Now().Add(p.Window).Format(time.TimeOnly), cfg.Device.Socket); err != nil {
		return err
	}
	members, err := ask(cfg.Device.Socket, adminRequest{Cmd: "members"})
	if err != nil || len(members.Members) == 0 {
		return err
	}
	_, err = fmt.Fprintf(env.out, "The camera has an owner already: only keys that are members can pair again, under the names that they have. Everyone else is let in by an owner, with camctl grant; camd evict removes everyone first.\n")
	return err
}

// statusCmd prints the running camd's status.
type statusCmd struct {
	configFlag
	JSON bool `arg:"--json" help:"print JSON"`
}

// Run prints it.
func (s statusCmd) Run(env *environment) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	a, err := ask(cfg.Device.Socket, adminRequest{Cmd: "status"})
	if err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(env.out).Encode(a.Status)
	}
	return printStatus(env.out, a.Status)
}

func printStatus(out io.Writer, s *proto.StatusAnswer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "device\t%s (%s)\n", s.Device, foreign.Line(s.Name))
	fmt.Fprintf(w, "version\t%s, up %v\n", s.Version, time.Duration(s.Uptime)*time.Second)
	fmt.Fprintf(w, "identity\t%s\n", proto.IdentityWords(s.Identity))
	for _, c := range s.Conditions {
		fmt.Fprintf(w, "%s\t%s since %s\t%s\n", foreign.Line(c.Name), c.State, time.Unix(c.Since, 0).Format(time.DateTime), foreign.Line(c.Reason))
	}
	if s.Update != nil {
		fmt.Fprintf(w, "update\t%s\n", foreign.Line(proto.UpdateWords(*s.Update, time.Local)))
	}
	if s.Certificate != nil {
		fmt.Fprintf(w, "certificate\t%s\n", foreign.Line(proto.CertificateWords(*s.Certificate, time.Now())))
	}
	for _, v := range s.Sessions {
		fmt.Fprintf(w, "watching\t%s since %s\t%s\n", foreign.Line(v.Name), time.Unix(v.Since, 0).Format(time.DateTime), list(v.Scopes))
	}
	return w.Flush()
}

// ask sends one command to the running camd.
func ask(socket string, q adminRequest) (adminAnswer, error) {
	c, err := net.DialTimeout("unix", socket, adminPatience)
	if err != nil {
		return adminAnswer{}, explainDial(socket, err)
	}
	defer c.Close() //nolint:errcheck // nothing to lose
	_ = c.SetDeadline(time.Now().Add(adminPatience))
	line, err := json.Marshal(q)
	if err != nil {
		return adminAnswer{}, fmt.Errorf("write the command: %w", err)
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return adminAnswer{}, fmt.Errorf("camd on %s hung up; look at its log", socket)
	}
	var a adminAnswer
	if err := json.NewDecoder(bufio.NewReader(c)).Decode(&a); err != nil {
		return adminAnswer{}, fmt.Errorf("camd on %s gave no answer; look at its log", socket)
	}
	if !a.OK {
		return adminAnswer{}, errors.New(a.Error)
	}
	return a, nil
}

func explainDial(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no camd is running on %s; start it with camd run", socket)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s is for root and the group camd; run this as one of them", socket)
	}
	return fmt.Errorf("reach camd on %s: %w", socket, err)
}
