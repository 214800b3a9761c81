package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// maxLine bounds a line on the local socket, in bytes. docs/protocol.md 10.2.
const maxLine = 128 << 10

// errLocal is a refusal by camd on the local socket.
var errLocal = errors.New("refused by camd")

// OpenWindow asks camd at socket to open its pairing window. name is the name of the
// member that pairs. docs/protocol.md 10.
func OpenWindow(ctx context.Context, socket string, window time.Duration, name string) error {
	_, err := Ask(ctx, socket, map[string]any{"cmd": "pair", "window_seconds": int(window.Seconds()), "name": name})
	return err
}

// Ask sends one command to camd at socket and returns its answer.
func Ask(ctx context.Context, socket string, command any) (json.RawMessage, error) {
	conn, answer, err := ask(ctx, socket, command)
	if err != nil {
		return nil, err
	}
	return answer, conn.Close()
}

// Joining is a pairing on a local socket.
type Joining struct {
	pairing.Conn
	io.Closer
	Device proto.DeviceID // as the socket says; a typed label needs it
}

// Join starts a pairing with camd at socket, whose pairing window must be open. The caller
// closes the result.
func Join(ctx context.Context, socket string) (*Joining, error) {
	conn, answer, err := ask(ctx, socket, map[string]any{"cmd": "join"})
	if err != nil {
		return nil, err
	}
	j := &Joining{Conn: pairing.NewFramed(conn), Closer: conn}
	var said struct {
		Device proto.DeviceID `json:"device"`
	}
	if err := json.Unmarshal(answer, &said); err == nil { // the label's reader judges it
		j.Device = said.Device
	}
	return j, nil
}

func ask(ctx context.Context, socket string, command any) (net.Conn, json.RawMessage, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, explainSocket(socket, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	answer, err := exchange(conn, command)
	if !stop() {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, explainSocket(socket, err)
	}
	return conn, answer, nil
}

func exchange(conn io.ReadWriter, command any) (json.RawMessage, error) {
	line, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("write command: %w", err)
	}
	if line, err = readLine(conn); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	var head struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, fmt.Errorf("parse answer: %w", err)
	}
	if !head.OK {
		return nil, home.NewProblem(errLocal, "%s", head.Error)
	}
	return line, nil
}

// readLine reads byte by byte, since what follows the line belongs to others.
func readLine(r io.Reader) ([]byte, error) {
	var line bytes.Buffer
	one := make([]byte, 1)
	for line.Len() < maxLine {
		if _, err := io.ReadFull(r, one); err != nil {
			return nil, err
		}
		if one[0] == '\n' {
			return line.Bytes(), nil
		}
		line.WriteByte(one[0])
	}
	return nil, fmt.Errorf("line is longer than %d bytes", maxLine)
}

func explainSocket(socket string, err error) error {
	var p *home.Problem
	switch {
	case errors.As(err, &p), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return home.NewProblem(err, "camd does not answer at %s. Start it, or name its socket with --socket.", socket)
	case errors.Is(err, fs.ErrPermission):
		return home.NewProblem(err, "This user may not use %s. Join the group camd there, by: sudo usermod -a -G camd \"$USER\", and log in again.", socket)
	}
	return home.NewProblem(err, "camd at %s can't be asked: %v.", socket, err)
}
