package accesslog

import "errors"

var (
	// ErrCheckpoint says that a text is no checkpoint of this log by this key.
	ErrCheckpoint = errors.New("not a checkpoint of this camera's access log")
	// ErrProof says that a proof does not prove what it is for.
	ErrProof = errors.New("the camera does not prove that its access log only grew")
	// ErrFork says that two checkpoints of one size differ.
	ErrFork = errors.New("the camera shows different access logs")
	// ErrRollback says that a log is shorter than it was.
	ErrRollback = errors.New("entries of the camera's access log are gone")
	// ErrRolledBack says, at the device, that a checkpoint it once signed is not of
	// the log that it holds now: its storage was put back.
	ErrRolledBack = errors.New("the access log does not continue a checkpoint that was signed before")
	// ErrForgotten says, at the device, that the hashes are gone with which it could
	// prove something about the oldest entries.
	ErrForgotten = errors.New("the access log keeps no hashes of its oldest entries")

	errEntry = errors.New("not an entry of the access log")
)
