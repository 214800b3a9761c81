package rauc

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/godbus/dbus/v5"

	"github.com/camd-project/camd/pkg/update"
	"github.com/camd-project/camd/pkg/update/release"
)

// Inspect lets RAUC verify a bundle's signature, and returns what the bundle is. An error of
// RAUC is wrapped in ErrRefused. The signature of a plain bundle does not contain the manifest:
// then Manifest is empty, unless RAUC names it.
func (d *Driver) Inspect(ctx context.Context, path string) (update.Bundle, error) {
	conn, err := d.connect(ctx)
	if err != nil {
		return update.Bundle{}, err
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	b := update.Bundle{Path: path}
	named, err := inspect(ctx, conn, &b)
	var said saidError
	if errors.As(err, &said) && said.name == "org.freedesktop.DBus.Error.UnknownMethod" {
		err = call(ctx, conn, installer+".Info", []any{path}, &b.Compatible, &b.Version)
	}
	if err != nil {
		return update.Bundle{}, err
	}
	if b.Manifest, err = manifest(path); errors.Is(err, release.ErrDetached) {
		b.Manifest, err = named, nil
	}
	switch {
	case err != nil:
		return update.Bundle{}, fmt.Errorf("%w: %w", update.ErrRefused, err)
	case named != "" && named != b.Manifest:
		return update.Bundle{}, fmt.Errorf("%w: RAUC reads another manifest in it than camd", update.ErrRefused)
	}
	return b, nil
}

// inspect uses a RAUC that is newer than Debian's, and returns the manifest's hash that RAUC
// names.
func inspect(ctx context.Context, conn *dbus.Conn, b *update.Bundle) (named string, err error) {
	var info map[string]dbus.Variant
	if err := call(ctx, conn, installer+".InspectBundle", []any{b.Path, map[string]dbus.Variant{}}, &info); err != nil {
		return "", err
	}
	about, _ := info["update"].Value().(map[string]dbus.Variant)
	b.Compatible, _ = about["compatible"].Value().(string)
	b.Version, _ = about["version"].Value().(string)
	named, _ = info["manifest-hash"].Value().(string)
	return named, nil
}

// manifest returns the hash of the manifest in a bundle's signature, which RAUC has
// verified.
func manifest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read the bundle: %w", err)
	}
	text, err := release.Manifest(f, info.Size())
	if err != nil {
		return "", err
	}
	return release.ManifestHash(text), nil
}
