package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

type snapshotCmd struct {
	Force  bool   `arg:"--force" help:"overwrite the file"`
	First  string `arg:"positional" help:"name or device id; not needed when one camera is paired" placeholder:"CAMERA"`
	Second string `arg:"positional" help:"the file to make (required): .jpg, or .mp4 of a camera that gives H.264; the name is completed or corrected" placeholder:"FILE"`
}

// saved is the result, as JSON.
type saved struct {
	File  string `json:"file"`
	Kind  string `json:"kind"`
	Bytes int    `json:"bytes"`
	Event uint64 `json:"event,omitempty"` // events: whose picture it is
}

// Run takes a picture. Every member is notified of it, so what can go wrong here is checked
// before.
func (c snapshotCmd) Run(env *environment) error {
	which, path, err := env.cameraAndFile(c.First, c.Second, "door.jpg")
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) && !c.Force {
		return fmt.Errorf("%s is there already; no picture was taken. Name another file or use --force", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), home.WithoutPath(err))
	}
	camera, err := env.dial(which)
	if err != nil {
		return err
	}
	defer camera.Close()
	p, err := camera.Snapshot(env.ctx)
	if err != nil {
		return err
	}
	right := pictureName(path, p.Kind)
	if filepath.Ext(path) != "" && right != path {
		env.Note("The camera's picture is %s, so it goes into %s.", kindName(p.Kind), right)
	}
	if err := savePicture(right, p, c.Force); err != nil {
		return err
	}
	return env.Print(saved{File: right, Kind: p.Kind, Bytes: len(p.Data)}, "Saved a picture of %d bytes in %s.", len(p.Data), right)
}

func kindName(kind string) string {
	if kind == proto.PictureMP4 {
		return "H.264 in MP4"
	}
	return "a JPEG"
}

// pictureName gives a file the extension that its kind of picture has.
func pictureName(path, kind string) string {
	right := []string{".jpg", ".jpeg"}
	if kind == proto.PictureMP4 {
		right = []string{".mp4"}
	}
	ext := filepath.Ext(path)
	for _, r := range right {
		if strings.EqualFold(ext, r) {
			return path
		}
	}
	switch strings.ToLower(ext) {
	case ".jpg", ".jpeg", ".mp4":
		path = strings.TrimSuffix(path, ext)
	}
	return path + right[0]
}

// savePicture writes a file whole or not at all. Without force it never overwrites one.
func savePicture(path string, p client.Picture, force bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.part")
	if err != nil {
		return fmt.Errorf("no file can be made in %s: %w", filepath.Dir(path), home.WithoutPath(err))
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already if it was kept
	_, err = f.Write(p.Data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s can't be written: %w", path, home.WithoutPath(err))
	}
	switch err = giveName(f.Name(), path, force); {
	case errors.Is(err, fs.ErrExist):
		return &home.Problem{Sentence: path + " is there already; the picture was not saved. Name another file or use --force.", Cause: fs.ErrExist}
	case err != nil:
		return fmt.Errorf("%s can't be made: %w", path, home.WithoutPath(err))
	}
	return nil
}
