package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/test/lab/agent"
)

// Put writes a file, with the folders above it if it is a new one.
func (g *Guest) Put(f agent.File, _ *agent.Empty) error {
	if f.Mode == 0 {
		return os.WriteFile(f.Path, f.Data, 0)
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(f.Path, f.Data, f.Mode); err != nil {
		return err
	}
	return os.Chmod(f.Path, f.Mode) // whatever the umask
}

// Get reads a file.
func (g *Guest) Get(path string, f *agent.File) error {
	data, err := os.ReadFile(path)
	f.Path, f.Data = path, data
	return err
}

// Tree reads every regular file under a folder; their paths are below it.
func (g *Guest) Tree(root string, files *[]agent.File) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		*files = append(*files, agent.File{Path: name, Mode: info.Mode().Perm(), Data: data})
		return err
	})
}

// Hold opens a file and keeps it open.
func (g *Guest) Hold(path string, _ *agent.Empty) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = append(g.held, f)
	return nil
}

// Glob lists the names that match a pattern.
func (g *Guest) Glob(pattern string, names *[]string) error {
	l, err := filepath.Glob(pattern)
	*names = l
	return err
}

// Video lists the nodes of Video4Linux as they are now.
func (g *Guest) Video(_ agent.Empty, nodes *[]agent.VideoNode) error {
	l, err := filepath.Glob("/sys/class/video4linux/video*")
	for _, n := range l {
		*nodes = append(*nodes, agent.VideoNode{
			Path:    "/dev/" + filepath.Base(n),
			Name:    attribute(n, "name"),
			Capture: attribute(n, "index") == "0",
		})
	}
	return err
}

// attribute reads one of a device; empty if the device is just going.
func attribute(device, name string) string {
	b, err := os.ReadFile(filepath.Join(device, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
