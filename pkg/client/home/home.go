package home

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/camd-project/camd/pkg/auth/naming"
	"github.com/camd-project/camd/pkg/proto"
)

// Home is the folder of one client: keys.json, and for each camera
// cameras/<device>.json, with the files of its household beside it.
type Home struct{ dir string }

// DefaultDir returns the folder that the XDG base directory specification names.
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "camd"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", NewProblem(err, "No home folder is known for this user. Name one with --home.")
	}
	return filepath.Join(home, ".local", "share", "camd"), nil
}

// Open opens a folder, and makes it if it is missing.
func Open(dir string) (*Home, error) {
	h := &Home{dir: dir}
	if err := os.MkdirAll(h.cameras(), 0o700); err != nil {
		return nil, NewProblem(err, "The folder %s can't be used for keys and cameras: %v.", dir, WithoutPath(err))
	}
	return h, nil
}

func (h *Home) cameras() string { return filepath.Join(h.dir, "cameras") }

func (h *Home) file(device proto.DeviceID, ext string) string {
	return filepath.Join(h.cameras(), string(device)+ext)
}

// Keys returns the client's keys, and makes them on first use.
func (h *Home) Keys() (*Keys, error) { return loadKeys(filepath.Join(h.dir, "keys.json")) }

// Save writes a camera's record, new or changed.
func (h *Home) Save(r Record) error {
	r.Version = recordVersion
	path := h.file(r.Device, ".json")
	if _, err := r.Verify(); err != nil {
		return err
	}
	var old Record
	if err := readVersioned(path, recordVersion, &old); errors.Is(err, ErrNewer) {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := replaceFile(path, data); err != nil {
		return NewProblem(err, "What is known of the camera can't be written to %s: %v.", path, err)
	}
	return nil
}

// Known returns the record of a device, nil if there is none that can be used.
func (h *Home) Known(device proto.DeviceID) *Record {
	r, err := readRecord(h.file(device, ".json"), device)
	if err != nil {
		return nil
	}
	return &r
}

// Cameras returns all records, sorted by device. A file that can't be used does not
// hide the others: the good records are returned together with the joined errors.
func (h *Home) Cameras() ([]Record, error) {
	entries, err := os.ReadDir(h.cameras())
	if err != nil {
		return nil, NewProblem(err, "The folder %s can't be read: %v.", h.cameras(), err)
	}
	var good []Record
	var bad []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		r, err := readRecord(filepath.Join(h.cameras(), e.Name()), proto.DeviceID(name))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good = append(good, r)
	}
	return good, errors.Join(bad...)
}

func readRecord(path string, device proto.DeviceID) (Record, error) {
	data, err := readBounded(path)
	if err != nil {
		return Record{}, err
	}
	return parseRecord(path, data, device)
}

func parseRecord(path string, data []byte, device proto.DeviceID) (Record, error) {
	var r Record
	if err := parseVersioned(path, data, recordVersion, &r); err != nil {
		return Record{}, err
	}
	if _, err := r.Verify(); err != nil {
		return Record{}, broken(path, err)
	}
	if r.Device != device {
		return Record{}, broken(path, errRecord)
	}
	return r, nil
}

// Camera finds a camera by its device ID, by the beginning of it, or by its name. If
// which is empty, it returns the only camera. Names that look alike count as the same
// name, and only the device ID tells such cameras apart.
func (h *Home) Camera(which string) (Record, error) {
	all, bad := h.Cameras()
	var hits []Record
	for _, r := range all {
		if which == "" || string(r.Device) == which || r.Name != "" && naming.Same(r.Name, which) || len(which) >= 4 && strings.HasPrefix(string(r.Device), which) {
			hits = append(hits, r)
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case bad != nil: // one of these may be the camera that was meant
		return Record{}, bad
	case len(all) == 0:
		return Record{}, NewProblem(ErrNoCamera, "No camera is paired yet. Pair one with camctl pair, or add the one of a card with camctl add.")
	case len(hits) == 0:
		return Record{}, NewProblem(ErrNoCamera, "No paired camera is called %q. Paired: %s.", which, titles(all))
	case which == "":
		return Record{}, NewProblem(ErrNoCamera, "Several cameras are paired; name one of %s.", titles(all))
	}
	return Record{}, NewProblem(ErrNoCamera, "Several paired cameras are called %q; use the device id: %s.", which, titles(hits))
}

func titles(l []Record) string {
	names := make([]string, len(l))
	for i, r := range l {
		names[i] = string(r.Device)
		if r.Name != "" {
			names[i] = r.Name + " (" + string(r.Device) + ")"
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
