package homeserver

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// The file of mosquitto's dynamic security plugin, as far as it is read or first written here.
// Passwords are PBKDF2 with HMAC-SHA-512 of 64 bytes.
// https://github.com/eclipse/mosquitto/blob/v2.0.11/plugins/dynamic-security/README.md
type loginsFile struct {
	Clients []loginsClient  `json:"clients"`
	Roles   []loginsRole    `json:"roles"`
	Default map[string]bool `json:"defaultACLAccess"`
}

type loginsClient struct {
	UserName   string              `json:"username"`
	Password   []byte              `json:"password"`
	Salt       []byte              `json:"salt"`
	Iterations int                 `json:"iterations"`
	Disabled   bool                `json:"disabled,omitempty"`
	Roles      []map[string]string `json:"roles"`
}

type loginsRole struct {
	RoleName string `json:"rolename"`
	Rules    []rule `json:"acls"`
}

type rule struct {
	Type  string `json:"acltype"`
	Topic string `json:"topic"`
	Allow bool   `json:"allow"`
}

const (
	keyLength     = 64
	iterations    = 10_000    // the password is random: more protects nothing
	maxIterations = 1_000_000 // of what is in the file
	maxLoginsFile = 4 << 20
)

// newLogins returns the file with one login, which may change logins and nothing else.
func newLogins(user, password string) ([]byte, error) {
	salt := make([]byte, 12)
	_, _ = rand.Read(salt) // never fails
	key, err := pbkdf2.Key(sha512.New, password, salt, iterations, keyLength)
	if err != nil {
		return nil, fmt.Errorf("make the administration login: %w", err)
	}
	const topics = "$CONTROL/dynamic-security/#"
	return indented(loginsFile{
		Clients: []loginsClient{{UserName: user, Password: key, Salt: salt, Iterations: iterations, Roles: []map[string]string{{"rolename": "admin"}}}},
		Roles: []loginsRole{{RoleName: "admin", Rules: []rule{
			{"publishClientSend", topics, true}, {"publishClientReceive", topics, true}, {"subscribePattern", topics, true}}}},
		Default: map[string]bool{"publishClientSend": false, "publishClientReceive": false, "subscribe": false, "unsubscribe": true},
	}), nil
}

// errLogin means that user or password are wrong.
var errLogin = errors.New("wrong login")

// checkLogin returns errLogin unless the plugin's file at path has this login.
func checkLogin(path, user, password string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the logins: %w", err)
	}
	defer func() { _ = f.Close() }()
	var all loginsFile
	if err := json.NewDecoder(io.LimitReader(f, maxLoginsFile)).Decode(&all); err != nil {
		return fmt.Errorf("read the logins: %w", err)
	}
	for _, c := range all.Clients {
		if c.UserName != user || c.Disabled || len(c.Password) != keyLength || c.Iterations < 1 || c.Iterations > maxIterations {
			continue
		}
		key, err := pbkdf2.Key(sha512.New, password, c.Salt, c.Iterations, keyLength)
		if err == nil && subtle.ConstantTimeCompare(key, c.Password) == 1 {
			return nil
		}
	}
	return errLogin
}
