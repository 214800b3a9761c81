package setup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// Names in <state>/store, which a reset shreds. docs/protocol.md 11.1.
const (
	folder   = "store"
	fileKeep = "setup.db"
	fileKey  = "setup.key"

	maxKeep = 1 << 20
)

// The bucket and its keys. docs/protocol.md 11.2.
var settings = store.Sealed("settings")

const (
	keyCurrent = "current"
	keyPending = "pending"
	keyLast    = "last" // a proto.WiFiChange
)

// Settings are what a client has set. docs/protocol.md 11.2.
type Settings struct {
	WiFi   *proto.WiFi        `json:"wifi,omitempty"`
	Broker *proto.SetupBroker `json:"broker,omitempty"`
	Chain  [][]byte           `json:"chain,omitempty"` // the certificate for the broker, DER, leaf first
	Key    []byte             `json:"key,omitempty"`   // its key, PKCS #8
	EST    *proto.EST         `json:"est,omitempty"`
	Over   string             `json:"over,omitempty"` // identifies the certificate that Chain replaced; OverNone: there was none
}

// OverNone is Settings.Over if nobody had installed a certificate by hand.
const OverNone = "none"

// String hides the key, and so does LogValue.
func (Settings) String() string { return "settings" }

// LogValue implements slog.LogValuer.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Certificate returns the certificate for the broker, with its key.
func (s Settings) Certificate() (tls.Certificate, error) {
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the key for the broker: %w", store.ErrDamaged)
	}
	return tls.Certificate{Certificate: s.Chain, PrivateKey: key}, nil
}

// pending is settings that take effect when their client is a member, or a change of Wi-Fi,
// which never takes effect by itself. docs/protocol.md 11.2.
type pending struct {
	Client   proto.ClientID    `json:"client,omitempty"`
	Settings *Settings         `json:"settings,omitempty"`
	Change   *proto.WiFiChange `json:"change,omitempty"`
}

// StoreFile returns the path of the database in a state folder.
func StoreFile(state string) string { return filepath.Join(state, folder, fileKeep) }

// keeper stores settings in a database of their own, so that trouble with it never touches
// the household's.
type keeper struct{ db *store.DB }

// openKeeper opens the database. A damaged one is overwritten and replaced by an empty one.
// One that can't be checked is left alone, with an error.
func openKeeper(ctx context.Context, state string, check func(context.Context, string) error, log *slog.Logger) (*keeper, error) {
	sealer, err := store.LoadSealer(filepath.Join(state, folder, fileKey))
	if err != nil {
		return nil, err
	}
	file := store.Config{Path: StoreFile(state), Sealer: sealer, MaxBytes: maxKeep, Check: check, Buckets: []store.Bucket{settings}}
	db, err := store.Open(ctx, file)
	if err == nil {
		k := &keeper{db}
		_, _, err = k.read()
		if err == nil {
			_, err = k.last()
		}
		if err == nil {
			return k, nil
		}
		err = errors.Join(err, db.Close())
	}
	switch {
	case errors.Is(err, store.ErrMissing):
	case errors.Is(err, store.ErrDamaged):
		log.Error("how the camera reaches its broker is lost: an owner has to set it up again", "reason", err)
		if err := errors.Join(store.Shred(file.Path), os.RemoveAll(file.Path)); err != nil { // or a folder in its place
			return nil, err
		}
	default:
		return nil, err
	}
	if db, err = store.Create(file, func(*store.Tx) error { return nil }); err != nil {
		return nil, err
	}
	return &keeper{db}, nil
}

// Read returns the settings stored in a state folder, for camd check. They are empty if
// nothing is stored. Read changes nothing.
func Read(ctx context.Context, state string, check func(context.Context, string) error) (Settings, error) {
	sealer, err := store.ReadSealer(filepath.Join(state, folder, fileKey))
	if errors.Is(err, store.ErrMissing) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, err
	}
	db, err := store.Open(ctx, store.Config{Path: StoreFile(state), Sealer: sealer, Check: check, Buckets: []store.Bucket{settings}})
	if errors.Is(err, store.ErrMissing) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, err
	}
	current, _, err := (&keeper{db}).read()
	return current, errors.Join(err, db.Close())
}

func (k *keeper) close() error { return k.db.Close() }

// read returns the settings in force, empty if there are none, and what is pending, or nil.
func (k *keeper) read() (current Settings, next *pending, err error) {
	err = k.db.View(func(tx *store.Tx) error {
		if _, err := get(tx, keyCurrent, &current); err != nil {
			return err
		}
		var p pending
		found, err := get(tx, keyPending, &p)
		if found {
			next = &p
		}
		return err
	})
	return current, next, err
}

func get(tx *store.Tx, key string, into any) (found bool, err error) {
	text, err := settings.Get(tx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case json.Unmarshal(text, into) != nil:
		return false, fmt.Errorf("read settings: %w", store.ErrDamaged)
	}
	return true, nil
}

func put(tx *store.Tx, key string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return settings.Put(tx, key, text)
}

// pend stores what the next start has to take or to undo.
func (k *keeper) pend(p pending) error {
	return k.db.Update(func(tx *store.Tx) error { return put(tx, keyPending, p) })
}

// end puts settings in force, and stores the result of the pending change.
func (k *keeper) end(s Settings, c proto.WiFiChange) error {
	return k.db.Update(func(tx *store.Tx) error {
		return errors.Join(put(tx, keyCurrent, s), put(tx, keyLast, c), settings.Delete(tx, keyPending))
	})
}

// last returns the result of the last change of Wi-Fi, or nil.
func (k *keeper) last() (c *proto.WiFiChange, err error) {
	err = k.db.View(func(tx *store.Tx) error {
		found, err := get(tx, keyLast, &c)
		if !found {
			c = nil
		}
		return err
	})
	return c, err
}

// take puts settings in force, and drops what is pending.
func (k *keeper) take(s Settings) error {
	return k.db.Update(func(tx *store.Tx) error {
		if err := put(tx, keyCurrent, s); err != nil {
			return err
		}
		return settings.Delete(tx, keyPending)
	})
}

// replace puts settings in force, and leaves what is pending.
func (k *keeper) replace(s Settings) error {
	return k.db.Update(func(tx *store.Tx) error { return put(tx, keyCurrent, s) })
}

// drop drops what is pending.
func (k *keeper) drop() error {
	return k.db.Update(func(tx *store.Tx) error { return settings.Delete(tx, keyPending) })
}
