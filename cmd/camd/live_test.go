package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/camd-project/camd/pkg/auth"
	"github.com/camd-project/camd/pkg/live"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/talk"
)

// Between the entry of a talk and its beginning, only the gate knows of it.
func TestByeEndsATalkThatOnlyTheGateKnows(t *testing.T) {
	d := &daemon{live: &live.Server{}, floor: talk.New(slog.New(slog.DiscardHandler), nil, nil, nil)}
	for _, known := range []bool{true, false} {
		var why proto.Code
		_, err := d.bye(context.Background(), auth.Request{Session: "t", Cancel: func(c proto.Code) bool { why = c; return known }}, auth.None{})
		var refusal *proto.Refusal
		refused := errors.As(err, &refusal) && refusal.Code == proto.CodeNoSession
		if why != proto.CodeCancelled || refused == known {
			t.Errorf("known to the gate: %v; ended with %q, answer %v", known, why, err)
		}
	}
}
