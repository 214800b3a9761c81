package claim

import (
	"cmp"
	"fmt"
	"os"
)

// Config is the table [enrolment] of the configuration file.
type Config struct {
	URL string `toml:"url" doc:"Server by which the camera renews its certificate for the broker by itself (EST, RFC 7030): https://host, or https://host/.well-known/est/label. Empty: owners renew it, with camctl certificate renew."`
	CA  string `toml:"ca" doc:"PEM file of the authority that signs the server's certificate. Empty: the one in link.ca."`
}

// Check returns the error that New would return for the configuration.
func (c Config) Check(ca string) error {
	_, err := c.server(ca, "")
	return err
}

// server returns the enrolment server, or nil. ca is the file of its authority if it has none
// of its own, caText the content of that for a device that was set up.
func (c Config) server(ca, caText string) (*EST, error) {
	if c.URL == "" {
		return nil, nil //nolint:nilnil // it is optional
	}
	path := cmp.Or(c.CA, ca)
	if path == "" && caText == "" {
		return nil, fmt.Errorf("enrolment configuration: ca is empty, and so is link.ca: name the authority of %s", c.URL)
	}
	pem := []byte(caText)
	if path != "" {
		var err error
		if pem, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("enrolment configuration: read the server's authority: %w", err)
		}
	}
	e, err := NewEST(c.URL, pem)
	if err != nil {
		return nil, fmt.Errorf("enrolment configuration: %w", err)
	}
	return e, nil
}
