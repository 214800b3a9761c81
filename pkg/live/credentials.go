package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
)

// maxCredentials is far above what a TURN server takes: RFC 8489 14.3 limits a user name to 509
// bytes.
const maxCredentials = 4096

// readCredentials reads a file with credentials of a TURN server, in the form in which servers
// give them out; other members of it are ignored:
// https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00#section-2.2
func readCredentials(path string) (user, credential string, err error) {
	// Without O_NONBLOCK a FIFO in the file's place would hold up the session.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the path is the operator's
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("%s has no TURN credentials yet: there is no such file. Look at the program that writes it", path)
	case err != nil:
		return "", "", fmt.Errorf("the TURN credentials can't be read: %w. camd's user must be able to read the file", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", "", fmt.Errorf("%s holds no TURN credentials: it is not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return "", "", fmt.Errorf("the TURN credentials can't be read: %w", err)
	}
	var c struct {
		UserName   string `json:"username"`
		Credential string `json:"password"`
	}
	if len(text) > maxCredentials || json.Unmarshal(text, &c) != nil || c.UserName == "" || c.Credential == "" {
		return "", "", fmt.Errorf("%s holds no TURN credentials: it must have what camctl --json turn-credentials prints. Look at the program that writes it", path)
	}
	return c.UserName, c.Credential, nil
}

// endedAt returns when the first of the servers' credentials ended, if any has. coturn's user
// names begin with that time, in Unix seconds.
func endedAt(servers []webrtc.ICEServer, now time.Time) (time.Time, bool) {
	for _, s := range servers {
		seconds, _, _ := strings.Cut(s.Username, ":")
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && strings.Contains(s.Username, ":") && time.Unix(n, 0).Before(now) {
			return time.Unix(n, 0), true
		}
	}
	return time.Time{}, false
}
