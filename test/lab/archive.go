package lab

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// Archive is an initramfs in the making: files by name, without a leading slash.
// The same files give the same bytes.
type Archive map[string]File

// File is a regular file of an archive; or a folder, or a link to what Data names, if its
// mode says so.
type File struct {
	Mode fs.FileMode
	Data []byte
}

// Add puts a regular file into the archive, with the folders above it.
func (a Archive) Add(name string, mode fs.FileMode, data []byte) {
	a[name] = File{mode, data}
	a.folders(path.Dir(name))
}

// Link puts a symbolic link into the archive.
func (a Archive) Link(name, target string) { a.Add(name, fs.ModeSymlink|0o777, []byte(target)) }

// Folder puts an empty folder into the archive, with those above it.
func (a Archive) Folder(name string) { a.folders(name) }

func (a Archive) folders(name string) {
	for ; name != "." && name != "/"; name = path.Dir(name) {
		a[name] = File{Mode: fs.ModeDir | 0o755}
	}
}

// Write writes the archive in the kernel's "newc" form
// (Documentation/driver-api/early-userspace/buffer-format.rst), sorted by name,
// owned by root, dated zero.
func (a Archive) Write(w io.Writer) error {
	names := slices.Sorted(maps.Keys(a))
	var b bytes.Buffer
	for i, name := range names {
		appendEntry(&b, i+1, name, unixMode(a[name].Mode), a[name].Data)
	}
	appendEntry(&b, 0, "TRAILER!!!", 0, nil)
	_, err := w.Write(b.Bytes())
	return err
}

func unixMode(m fs.FileMode) uint32 {
	if m.IsDir() {
		return 0o040000 | uint32(m.Perm())
	}
	if m&fs.ModeSymlink != 0 {
		return 0o120000 | uint32(m.Perm())
	}
	return 0o100000 | uint32(m.Perm())
}

func appendEntry(b *bytes.Buffer, inode int, name string, mode uint32, data []byte) {
	b.WriteString("070701")
	for _, v := range [...]uint32{
		uint32(inode), mode, 0, 0, // user and group
		1, 0, // links, time
		uint32(len(data)), 0, 0, 0, 0, // device numbers
		uint32(len(name) + 1), 0, // check sum: unused in this form
	} {
		fmt.Fprintf(b, "%08x", v)
	}
	b.WriteString(name)
	b.WriteByte(0)
	pad(b)
	b.Write(data)
	pad(b)
}

// pad aligns to four bytes.
func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
