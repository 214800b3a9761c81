package auth

import (
	"path/filepath"

	"github.com/camd-project/camd/pkg/store"
)

// Names in <state>/store. docs/protocol.md 11.1.
const (
	storeFolder = "store"
	fileTrust   = "trust.db"
	fileLogs    = "log.db"
	fileSeal    = "seal.key"

	maxTrust = 8 << 20
	maxLogs  = 64 << 20 // 16 MiB of texts, hashes, free pages
)

// meta holds, under keyEpoch, the epoch under which a file was last written. docs/protocol.md 11.2.
var meta = store.Plain("meta")

const keyEpoch = "ep"

// StoreFiles returns the paths of the databases below a state folder.
func StoreFiles(state string) []string {
	return []string{filepath.Join(state, storeFolder, fileTrust), filepath.Join(state, storeFolder, fileLogs)}
}

// keyApplied holds how many entries of the log trust.db knows of: one more than the
// index of the last change that it holds.
const keyApplied = "applied"
