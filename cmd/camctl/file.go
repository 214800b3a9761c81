package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// maxKeyFile bounds a file with a key or a camera card, in bytes.
const maxKeyFile = 64 << 10

func readSmall(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", path, home.WithoutPath(err))
	}
	if st.Size() > maxKeyFile {
		return nil, fmt.Errorf("%s is too large for what is expected in it", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", path, home.WithoutPath(err))
	}
	return data, nil
}

// readSecret reads the one line of a file, or of standard input for a dash.
func readSecret(path string, in io.Reader, what string) (proto.Secret, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(in, 1<<10))
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return "", command.Usage(fmt.Sprintf("%s can't be read: %v", what, err))
	}
	return proto.Secret(strings.TrimRight(string(data), "\r\n")), nil
}

// writeNew makes a file that only its user can read, and never overwrites one.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// giveName gives a finished file its name. Without force it never overwrites a file that
// appeared meanwhile.
func giveName(tmp, path string, force bool) error {
	if force {
		if there, err := os.Lstat(path); err == nil && !there.Mode().IsRegular() {
			return fmt.Errorf("--force overwrites a file, and %s is something else", path)
		}
		return os.Rename(tmp, path)
	}
	err := os.Link(tmp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(path); err == nil { // a file system without links
		return fs.ErrExist
	}
	return os.Rename(tmp, path)
}

// cameraAndFile returns which of the words of a command is the camera and which the file.
func (e *environment) cameraAndFile(first, second, example string) (camera, path string, err error) {
	missing := command.Usage("name the file to make, such as " + example)
	switch {
	case second != "":
		return first, second, nil
	case first == "":
		return "", "", missing
	}
	h, err := e.home()
	if err != nil {
		return "", "", err
	}
	if _, err := h.Camera(first); err == nil && filepath.Ext(first) == "" {
		return "", "", missing // what is named is a camera
	}
	return "", first, nil
}

// readChain reads the certificates of a PEM file that a person named.
func readChain(path string) ([][]byte, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			chain = append(chain, block.Bytes)
		}
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%s holds no PEM certificate", path)
	}
	if n := len(bytes.Join(chain, nil)); n > proto.MaxChain {
		return nil, fmt.Errorf("the certificates in %s have %d bytes, and a camera takes %d: leave out what its broker does not need", path, n, proto.MaxChain)
	}
	return chain, nil
}
