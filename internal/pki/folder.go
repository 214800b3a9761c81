package pki

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/camd-project/camd/docs/mosquitto"
	"github.com/camd-project/camd/pkg/proto"
)

// The validity of certificates of a Folder. A device's certificate is valid as long as the
// authority, since nobody visits a device to renew it; it can be revoked.
const (
	authorityDays = 20 * 365
	serverDays    = 5 * 365
	memberDays    = 5 * 365
	day           = 24 * time.Hour
)

// Names in a Folder. brokerFolder is copied to /etc/mosquitto/camd.
const (
	keyFile      = "ca.key"
	issuedFile   = "issued"
	confFile     = "mosquitto.conf"
	brokerFolder = "broker"
	deviceFolder = "devices"
	loginFolder  = "logins"
	crlFile      = "crl.pem"
	viewerRules  = "viewers.acl"
)

// Folder is a broker's authority in a folder, with everything that it has made:
//
//	ca.key          the authority's key, PKCS #8, not encrypted, mode 0600
//	issued          a line for each certificate: serial number, end, name
//	mosquitto.conf  for /etc/mosquitto
//	broker/         for /etc/mosquitto/camd: ca.crt, crl.pem, server.crt, server.key, rules
//	devices/        <device>.crt, for identity/operational.crt on that device
//	logins/         <client>.pem, a member's certificate and key
//
// Existing files are replaced only if a method says so. Nobody else may read the folder.
type Folder struct {
	dir string
	*CA
}

// ErrExists means that there is one already.
var ErrExists = errors.New("is there already")

// Create creates a Folder with a new authority. The parent folder must exist.
func Create(dir, name string) (*Folder, error) {
	err := os.Mkdir(dir, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist) && !exists(filepath.Join(dir, keyFile)): // Create was cut short, or it is no Folder
		return nil, fmt.Errorf("%s %w and holds no authority: remove it, or name another folder with --dir", dir, ErrExists)
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s %w and holds an authority: use it, or name another folder with --dir", dir, ErrExists)
	case err != nil:
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	ca, err := newCA(name, authorityDays*day)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, CA: ca}
	return f, f.fill()
}

// fill writes the files of a new Folder.
func (f *Folder) fill() error {
	der, err := x509.MarshalPKCS8PrivateKey(f.key)
	if err != nil {
		return fmt.Errorf("write the authority's key: %w", err)
	}
	crl, err := f.CRL(1, nil)
	if err != nil {
		return err
	}
	for _, sub := range []string{brokerFolder, deviceFolder, loginFolder} {
		if err := os.Mkdir(f.Path(sub), 0o700); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	for _, file := range []struct {
		path string
		data []byte
		mode os.FileMode
	}{
		{issuedFile, nil, 0o600},
		{confFile, mosquitto.Configuration, 0o644},
		{brokerFolder + "/devices.acl", mosquitto.DeviceRules, 0o644},
		{brokerFolder + "/" + viewerRules, mosquitto.ViewerRules, 0o644},
		{brokerFolder + "/" + crlFile, crl, 0o644},
		{brokerFolder + "/ca.crt", f.PEM(), 0o644},
		{keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600}, // last: with it the folder is whole
	} {
		if _, err := write(filepath.Join(f.dir, filepath.Dir(file.path)), filepath.Base(file.path), file.data, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// Open opens a Folder that Create made.
func Open(dir string) (*Folder, error) {
	text, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no authority in %s: make one with camops pki init, or name the folder of the one that there is", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the authority's key: %w", err)
	}
	if info, err := os.Stat(filepath.Join(dir, keyFile)); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s is open to other users: run chmod go-rwx %[1]s", filepath.Join(dir, keyFile))
	}
	cert, err := readCertificate(filepath.Join(dir, brokerFolder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", filepath.Join(dir, keyFile))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s does not hold the key of the authority beside it", filepath.Join(dir, keyFile))
	}
	f := &Folder{dir: dir, CA: &CA{certificate: cert, key: key}}
	for _, sub := range []string{deviceFolder, loginFolder} { // a copy may leave out what is empty, as git's does
		if err := os.Mkdir(f.Path(sub), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make the folder: %w", err)
		}
	}
	return f, nil
}

// Path returns the path of a file in the folder.
func (f *Folder) Path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

// lasting returns the authority, signing for a number of days and never beyond its own end.
func (f *Folder) lasting(days int) *CA {
	now := time.Now()
	until := now.Add(time.Duration(days) * day)
	if end := f.certificate.NotAfter; until.After(end) {
		until = end
	}
	return f.Between(now.Add(-backdate), until)
}

// MakeServer makes the broker's certificate for its host names and addresses. With renew it
// replaces an existing one.
func (f *Folder) MakeServer(renew bool, hosts ...string) error {
	if err := CheckHosts(hosts...); err != nil {
		return err
	}
	crt := f.Path(brokerFolder, "server.crt")
	if exists(crt) && !renew {
		return fmt.Errorf("%s %w; --renew replaces it", crt, ErrExists)
	}
	cert, err := f.lasting(serverDays).Server(hosts...)
	if err != nil {
		return err
	}
	if err := f.note(cert.Leaf); err != nil {
		return err
	}
	_, _, err = WritePair(f.Path(brokerFolder), "server", cert)
	return err
}

// CheckHosts returns an error if one is neither a host name nor an address.
func CheckHosts(hosts ...string) error {
	for _, h := range hosts {
		if net.ParseIP(h) == nil && (h == "" || strings.ContainsAny(h, " :/*")) {
			return fmt.Errorf("%q is no host name: give the name or the address by which cameras and clients find the broker", h)
		}
	}
	return nil
}

// MakeDevice signs a device's request. It returns the device and the path of the certificate.
// With renew it replaces an existing one.
func (f *Folder) MakeDevice(request []byte, renew bool) (id proto.DeviceID, path string, err error) {
	id, cert, err := f.lasting(authorityDays).certifyRequest(request)
	if err != nil {
		return "", "", err
	}
	name := string(id) + ".crt"
	if path = f.Path(deviceFolder, name); exists(path) && !renew {
		return id, path, fmt.Errorf("%s %w; --renew replaces it", path, ErrExists)
	}
	if err := f.note(cert); err != nil {
		return id, path, err
	}
	_, err = write(f.Path(deviceFolder), name, certPEM(cert.Raw), 0o644)
	return id, path, err
}

// shortDays is for how long a certificate is good that is carried to a device with its key.
const shortDays = 1

// MakeShort makes a certificate, and its key, for a device that can't make a request. It is valid
// for a day, in which the device asks for one with a key that nobody else has had. Only the
// line in the list is kept.
func (f *Folder) MakeShort(id proto.DeviceID) (tls.Certificate, error) {
	cert, err := f.lasting(shortDays).Device(id, nil)
	if err != nil {
		return cert, err
	}
	return cert, f.note(cert.Leaf)
}

// Devices returns the devices that have a certificate.
func (f *Folder) Devices() []proto.DeviceID {
	files, _ := filepath.Glob(f.Path(deviceFolder, "*.crt")) // the pattern is a good one
	var l []proto.DeviceID
	for _, path := range files {
		l = append(l, proto.DeviceID(strings.TrimSuffix(filepath.Base(path), ".crt")))
	}
	return l
}

// MakeMember makes a member's login, and rules that let it read the status of devices. It returns
// the path of the login. Without renew an existing login stays, and gets the rules that it
// lacks; if it lacks none, the error is ErrExists.
func (f *Folder) MakeMember(id proto.ClientID, renew bool, devices ...proto.DeviceID) (string, error) {
	name := string(id) + ".pem"
	path := f.Path(loginFolder, name)
	made := !exists(path) || renew
	if made {
		cert, err := f.lasting(memberDays).Viewer(id)
		if err != nil {
			return "", err
		}
		key, err := KeyPEM(cert)
		if err != nil {
			return "", err
		}
		if err := f.note(cert.Leaf); err != nil {
			return "", err
		}
		if _, err := write(f.Path(loginFolder), name, slices.Concat(CertificatePEM(cert), key), 0o600); err != nil {
			return "", err
		}
	}
	added, err := f.admit(id, devices)
	if err == nil && !made && !added {
		err = fmt.Errorf("the login %s %w; --renew makes a new one", path, ErrExists)
	}
	return path, err
}

func (f *Folder) admit(id proto.ClientID, devices []proto.DeviceID) (added bool, err error) {
	text, err := os.ReadFile(f.Path(brokerFolder, viewerRules))
	if err != nil {
		return false, fmt.Errorf("read the viewers' rules: %w", err)
	}
	rules := string(text)
	for _, d := range devices {
		if line := StatusRule(id, d); !strings.Contains(rules, line) {
			rules, added = rules+line, true
		}
	}
	if added {
		_, err = write(f.Path(brokerFolder), viewerRules, []byte(rules), 0o644)
	}
	return added, err
}

// Remove revokes every certificate of a member or a device, and removes its rules and its login.
// It may be called again.
func (f *Folder) Remove(name string) error {
	serials, err := f.serials(name)
	if err != nil {
		return err
	}
	if len(serials) == 0 {
		return fmt.Errorf("no certificate was made for %s", name)
	}
	if err := f.revoke(serials); err != nil {
		return err
	}
	path := f.Path(brokerFolder, viewerRules)
	rules, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the viewers' rules: %w", err)
	}
	if _, err := write(f.Path(brokerFolder), viewerRules, []byte(withoutRules(string(rules), proto.ClientID(name))), 0o644); err != nil {
		return err
	}
	for _, gone := range []string{f.Path(loginFolder, name+".pem"), f.Path(deviceFolder, name+".crt")} {
		if err := os.Remove(gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the login: %w", err)
		}
	}
	return nil
}

// revoke adds to the list of revoked certificates.
func (f *Folder) revoke(serials []*big.Int) error {
	path := f.Path(brokerFolder, crlFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the list of revoked certificates: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no list of revoked certificates", path)
	}
	old, err := x509.ParseRevocationList(block.Bytes)
	if err == nil {
		err = old.CheckSignatureFrom(f.certificate)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	revoked := old.RevokedCertificateEntries
	for _, s := range serials {
		if !slices.ContainsFunc(revoked, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(s) == 0 }) {
			revoked = append(revoked, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
		}
	}
	crl, err := f.CRL(old.Number.Int64()+1, revoked)
	if err != nil {
		return err
	}
	_, err = write(f.Path(brokerFolder), crlFile, crl, 0o644)
	return err
}

// note records a certificate before it is given out, because only recorded ones can be revoked.
func (f *Folder) note(c *x509.Certificate) error {
	file, err := os.OpenFile(f.Path(issuedFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write down what is signed: %w", err)
	}
	_, err = fmt.Fprintf(file, "%s %s %s\n", c.SerialNumber.Text(16), c.NotAfter.UTC().Format(time.DateOnly), c.Subject.CommonName)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write down what is signed: %w", err)
	}
	return nil
}

// serials returns those of what was signed for a name.
func (f *Folder) serials(name string) ([]*big.Int, error) {
	text, err := os.ReadFile(f.Path(issuedFile))
	if err != nil {
		return nil, fmt.Errorf("read what was signed: %w", err)
	}
	var l []*big.Int
	for line := range strings.Lines(string(text)) {
		w := strings.Fields(line)
		if len(w) != 3 || w[2] != name {
			continue
		}
		serial, ok := new(big.Int).SetString(w[0], 16)
		if !ok {
			return nil, fmt.Errorf("%s has a line that can't be read: %q", f.Path(issuedFile), strings.TrimSpace(line))
		}
		l = append(l, serial)
	}
	return l, nil
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the authority: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return cert, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
