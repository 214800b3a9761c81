package prompt

import "errors"

// What is wrong with an archive.
var (
	ErrFormat   = errors.New("this is not an archive of spoken prompts")
	ErrVersion  = errors.New("this archive of spoken prompts has a version that is not known here")
	ErrLength   = errors.New("the archive of spoken prompts is not as long as its header says")
	ErrTooLong  = errors.New("the archive of spoken prompts is longer than 4 MiB")
	ErrChecksum = errors.New("the archive of spoken prompts is damaged: its checksum does not fit")
	ErrIndex    = errors.New("the index of the archive of spoken prompts is wrong")
	ErrPacket   = errors.New("the archive of spoken prompts holds what is not a mono Opus frame of 20 ms")

	// ErrMissing comes with the name of the clip.
	ErrMissing = errors.New("the archive of spoken prompts lacks a clip")
)
