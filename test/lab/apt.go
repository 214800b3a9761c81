package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// apt is a state of apt's own for a foreign architecture. It uses the host's
// sources and keys and leaves the host's packages alone.
type apt struct {
	dir     string
	options []string
}

func newApt(dir, arch string) *apt {
	state := filepath.Join(dir, "apt")
	p := &apt{dir: dir}
	for _, o := range []string{
		"APT::Architecture=" + arch, "APT::Architectures::=" + arch,
		"Dir::State=" + state,
		"Dir::State::status=" + filepath.Join(state, "status"),
		"Dir::Cache=" + filepath.Join(state, "cache"),
		"Acquire::Languages=none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"APT::Sandbox::User=root", // the folders above are not for the user _apt
	} {
		p.options = append(p.options, "-o", o)
	}
	return p
}

// prepare makes the folders and the list of installed packages, an empty one.
func (p *apt) prepare() error {
	state := filepath.Join(p.dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(state, d), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(state, "status"), nil, 0o644)
}

func (p *apt) run(ctx context.Context, tool string, args ...string) (string, error) {
	return output(ctx, p.dir, tool, append(p.options, args...)...)
}

// output runs a command in a folder; its error holds what the command complained of.
func output(ctx context.Context, dir, command string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// unpacked gives the folder with the files of "package=version", fetched and
// unpacked if it isn't there yet.
func (p *apt) unpacked(ctx context.Context, want string) (string, error) {
	root := filepath.Join(p.dir, strings.ReplaceAll(want, "=", "_"))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	tmp, err := os.MkdirTemp(p.dir, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // what is left is only litter in a cache
	if _, err := output(ctx, tmp, "apt-get", append(p.options, "download", want)...); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d packages, want 1", want, len(debs))
	}
	files := filepath.Join(tmp, "files")
	if _, err := output(ctx, tmp, "dpkg-deb", "-x", debs[0], files); err != nil {
		return "", err
	}
	if err := os.Rename(files, root); err != nil {
		if _, there := os.Stat(root); there != nil {
			return "", err
		} // another run was faster
	}
	return root, nil
}

// forget removes every unpacked package but one.
func (p *apt) forget(but string) error {
	roots, err := filepath.Glob(filepath.Join(p.dir, "linux-image-*"))
	for _, r := range roots {
		if r != but {
			err = errors.Join(err, os.RemoveAll(r))
		}
	}
	return err
}
