// Command peek opens a state folder as camd does and says what it finds. Whatever
// opening repairs is repaired. It exits with 1 if camd could not start.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/health"
	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/test/lab/agent"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	found, err := peek(log, os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		log.Error("the state can't be opened", "error", err)
		os.Exit(1)
	}
}

func peek(log *slog.Logger, state string) (found agent.Found, err error) {
	a, err := auth.Open(context.Background(), auth.Config{
		State: state,
		Check: func(_ context.Context, path string) error { return store.CheckFile(path) },
		Clock: func() (time.Time, bool) { return time.Now(), false },
	}, log, health.NewBoard(log))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	found.Epoch, found.Reason = a.Epoch()
	for _, m := range a.Members() {
		found.Members = append(found.Members, m.Name)
	}
	slices.Sort(found.Members)
	page, err := a.LogPage(0, 0)
	found.Entries = page.Size
	return found, err
}
