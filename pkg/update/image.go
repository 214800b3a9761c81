package update

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/camd-project/camd/pkg/store"
	"github.com/camd-project/camd/pkg/update/release"
)

// Image returns which image runs: IMAGE_ID of os-release(5) is the kind of device, the same
// as RAUC's compatible, and IMAGE_VERSION is the version of the release. The image's build
// writes both. A missing or invalid value is empty.
func Image(osRelease string) (compatible, version string) {
	text, _ := store.ReadFile(osRelease) // without it this is no image
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.Trim(value, `"'`)
		switch {
		case key == "IMAGE_ID" && release.ValidCompatible(value):
			compatible = value
		case key == "IMAGE_VERSION" && release.ValidVersion(value):
			version = value
		}
	}
	return compatible, version
}
