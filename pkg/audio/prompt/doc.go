// Package prompt holds what the device says: an archive of named clips of Opus
// sound, and how clips are put together to a sentence ("Anna is speaking").
//
// It owns the archive's format and the sentences, and plays nothing: a sentence is
// a list of Opus packets of 20 ms for whoever owns the speaker. A sentence that
// lacks a clip is refused with ErrMissing, never shortened: who cannot be announced
// doesn't speak. The default archive is built in (Default); a maker's own is read
// by Open and made by `camops prompts` or any other tool.
//
// # The archive
//
// Numbers are unsigned and big-endian. A file is at most 4 MiB long and has three
// parts without gaps: header, index, packets.
//
//	offset  bytes
//	0       8      "camdclip"
//	8       2      version: 1
//	10      2      how many clips there are
//	12      4      length of the index in bytes
//	16      4      length of the packets in bytes
//	20      32     SHA-256 of index and packets
//	52             index, then packets; the file ends with them
//
// The index has one entry a clip, in ascending order of the names' bytes, none
// twice:
//
//	1      length of the name, 1 to 64
//	n      name: parts of a-z, 0-9 and "-", joined by "/"
//	2      how many packets the clip has, 1 to 500 (10 s)
//
// The packets of all clips follow in the same order. Each begins with its length
// as RFC 6716 section 3.2.1 codes it: one byte below 252 is the length itself;
// from 252 on a second byte follows, and the length is first + 4·second. A packet
// is 1 to 1275 bytes long, of one mono frame of 20 ms (RFC 6716 section 3.1: code
// 0, s 0, and a configuration of 20 ms), at any bitrate. A clip ends in silence
// of 20 ms or more, because the next clip's first packet meets the same decoder.
//
// # The clips
//
// Required lists the clips that every archive must have:
//
//	chime/…    talk (before somebody speaks), ask (before somebody may), ring
//	phrase/…   sentences (the constants of Phrase), and parts of some
//	role/…     owner, adult, guest, member, with an article: "an owner"
//	letter/…   a to z, by their names
//	digit/…    0 to 9
//	number/…   10 to 19, then 20, 30, 40, 50 and 60
//	pause/…    short: the silence between the members of a list
//
// Beyond them there are as many name/… as the maker likes: first names in lower
// case and without accents, name/jorg for Jörg. A name that has no clip is spelled.
package prompt
