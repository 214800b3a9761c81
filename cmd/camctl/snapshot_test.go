package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

func TestPictureNames(t *testing.T) {
	for _, c := range []struct{ given, kind, want string }{
		{"door.jpg", proto.PictureJPEG, "door.jpg"}, {"door.JPEG", proto.PictureJPEG, "door.JPEG"}, {"door", proto.PictureJPEG, "door.jpg"},
		{"door.mp4", proto.PictureJPEG, "door.jpg"}, {"door.mp4", proto.PictureMP4, "door.mp4"}, {"door.jpg", proto.PictureMP4, "door.mp4"},
		{"door", proto.PictureMP4, "door.mp4"}, {"no. 5", proto.PictureJPEG, "no. 5.jpg"}, {"a.jpg/door", proto.PictureMP4, "a.jpg/door.mp4"},
		{"door.png", proto.PictureJPEG, "door.png.jpg"},
	} {
		if got := pictureName(c.given, c.kind); got != c.want {
			t.Errorf("%s of %s is called %s, want %s", c.given, c.kind, got, c.want)
		}
	}
}

func TestSavePictureOverwritesOnlyWhenTold(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "door.jpg")
	save := func(text string, force bool) error {
		return savePicture(path, client.Picture{Kind: proto.PictureJPEG, Data: []byte(text)}, force)
	}
	for _, c := range []struct {
		text  string
		force bool
		fails bool
		want  string
	}{{"one", false, false, "one"}, {"two", false, true, "one"}, {"three", true, false, "three"}} {
		if err := save(c.text, c.force); errors.Is(err, fs.ErrExist) != c.fails || !c.fails && err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
			t.Errorf("after %s the file holds %q, %v", c.text, got, err)
		}
	}
	link := filepath.Join(dir, "link.jpg")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	path = link
	if err := save("four", true); err == nil {
		t.Error("a link was overwritten")
	}
	if to, err := os.Readlink(link); err != nil || to != os.DevNull {
		t.Errorf("the link is gone: %v", err)
	}
	if l, err := os.ReadDir(dir); err != nil || len(l) != 2 {
		t.Errorf("%d files are left, %v", len(l), err)
	}
}
