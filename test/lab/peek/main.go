// Command peek opens a state folder as camd does and says what it finds: which
// epoch, and how the household calls the clients that are named after the folder.
// Whatever opening repairs is repaired. It exits with 1 if camd could not start.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/test/lab/agent"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	found, err := peek(log, os.Args[1], os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		log.Error("the state can't be opened", "error", err)
		os.Exit(1)
	}
}

func peek(log *slog.Logger, state string, clients []string) (found agent.Found, err error) {
	check := func(_ context.Context, path string) error { return store.CheckFile(path) }
	a, err := auth.Open(context.Background(), auth.Config{State: state, Check: check}, log, health.NewBoard(log))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	found.Epoch, found.Reason = a.Epoch()
	for _, c := range clients {
		if name := a.MemberName(proto.ClientID(c)); name != "" {
			found.Members = append(found.Members, name)
		}
	}
	return found, nil
}
