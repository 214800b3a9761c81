package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

// pkiCmd makes the certificates by which a broker knows its clients. docs/operations.md.
type pkiCmd struct {
	Init   *pkiInitCmd   `arg:"subcommand:init" help:"make an authority, and the folder with all that mosquitto needs"`
	Broker *pkiBrokerCmd `arg:"subcommand:broker" help:"make the broker's certificate for its host names"`
	Device *pkiDeviceCmd `arg:"subcommand:device" help:"sign the request that camd factory init left: a camera's certificate"`
	Member *pkiMemberCmd `arg:"subcommand:member" help:"make the login of somebody who shows a key, and let it see its cameras' status"`
	Remove *pkiRemoveCmd `arg:"subcommand:remove" help:"end the login of a member or a camera"`
}

// folderFlag names the authority's folder.
type folderFlag struct {
	Dir string `arg:"--dir" help:"folder of the authority" default:"camd-pki" placeholder:"DIR"`
}

type pkiInitCmd struct {
	folderFlag
	Name string `arg:"--name" help:"name of the authority" default:"camd broker authority"`
}

// Run makes the folder.
func (c *pkiInitCmd) Run(env *environment) error {
	f, err := pki.Create(c.Dir, c.Name)
	if err != nil {
		return err
	}
	return say(env.out, "The authority is in %s. Its key, %s, is not encrypted: whoever has it lets anyone into your broker, and nobody into a camera. Keep the folder to yourself.\n"+
		"Next: camops pki broker HOST", f.Path(), f.Path("ca.key"))
}

type pkiBrokerCmd struct {
	folderFlag
	Renew bool     `arg:"--renew" help:"replace the certificate that is there"`
	Hosts []string `arg:"positional,required" help:"names and addresses by which cameras and clients find the broker" placeholder:"HOST"`
}

// Run makes the certificate and says where the files go.
func (c *pkiBrokerCmd) Run(env *environment) error {
	f, err := pki.Open(c.Dir)
	if err != nil {
		return err
	}
	if err := f.MakeServer(c.Renew, c.Hosts...); err != nil {
		return err
	}
	return say(env.out, "The broker's certificate is made for %s. On the broker's machine, as root:\n"+
		"    install -d -m 0750 -g mosquitto /etc/mosquitto/camd\n"+
		"    install -m 0640 -g mosquitto %s/* /etc/mosquitto/camd/\n"+
		"    install -m 0644 %s /etc/mosquitto/mosquitto.conf\n"+
		"    systemctl restart mosquitto\n"+
		"Cameras use mqtts://%s and %s as ca, viewers mqtts://%s.",
		strings.Join(c.Hosts, ", "), f.Path("broker"), f.Path("mosquitto.conf"),
		net.JoinHostPort(c.Hosts[0], "8883"), f.Path("broker", "ca.crt"), net.JoinHostPort(c.Hosts[0], "8884"))
}

type pkiDeviceCmd struct {
	folderFlag
	Renew   bool   `arg:"--renew" help:"replace the certificate that is there"`
	Request string `arg:"positional,required" help:"the camera's identity/device.csr, or its factory record" placeholder:"CSR"`
}

// Run signs the request.
func (c *pkiDeviceCmd) Run(env *environment) error {
	f, err := pki.Open(c.Dir)
	if err != nil {
		return err
	}
	text, err := readSmall(c.Request)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		r, err := record.Parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Request, err)
		}
		text = r.RequestPEM()
	}
	id, path, err := f.MakeDevice(text, c.Renew)
	if err != nil {
		return err
	}
	return say(env.out, "The certificate of the camera %s is %s. On the camera it goes to identity/operational.crt in the state folder.", id, path)
}

type pkiMemberCmd struct {
	folderFlag
	Renew   bool     `arg:"--renew" help:"make a new login where there is one; the old one stays good until its end"`
	Devices []string `arg:"--camera,separate" help:"a camera of the member's household, by its device identifier; may be given again (default: the only one that there is)" placeholder:"ID"`
	Key     string   `arg:"positional,required" help:"what camctl id prints: the key, CAMD-KEY:1?…, its name, or a file that holds all of it; a dash reads it from standard input" placeholder:"KEY"`
}

// Run makes the login and says what to do with it.
func (c *pkiMemberCmd) Run(env *environment) error {
	f, err := pki.Open(c.Dir)
	if err != nil {
		return err
	}
	id, err := readKey(env, c.Key)
	if err != nil {
		return err
	}
	devices, err := c.devices(f)
	if err != nil {
		return err
	}
	path, err := f.MakeMember(id, c.Renew, devices...)
	if err != nil {
		return err
	}
	return say(env.out, "The login of %s is %s. Its words are: %s\n"+
		"An owner gets it by pairing, if it lies in the folder that the camera's link.member_logins names; for others, name it to camctl grant as --broker-cert and --broker-key.\n"+
		"On the broker's machine, as root:\n"+
		"    install -m 0640 -g mosquitto %s /etc/mosquitto/camd/\n"+
		"    systemctl reload mosquitto",
		id, path, home.Words(id), f.Path("broker", "viewers.acl"))
}

// devices are those that were named, or the only one that was made.
func (c *pkiMemberCmd) devices(f *pki.Folder) ([]proto.DeviceID, error) {
	var l []proto.DeviceID
	for _, s := range c.Devices {
		if l = append(l, proto.DeviceID(s)); !l[len(l)-1].Valid() {
			return nil, fmt.Errorf("%q is no device identifier: camd factory init prints it", s)
		}
	}
	if len(l) > 0 {
		return l, nil
	}
	if l = f.Devices(); len(l) != 1 {
		return nil, fmt.Errorf("%d cameras have a certificate here: say whose member this is with --camera", len(l))
	}
	return l, nil
}

type pkiRemoveCmd struct {
	folderFlag
	Who string `arg:"positional,required" help:"the member's key, a file with it, or its name, or a camera's device identifier" placeholder:"WHO"`
}

// Run ends the login and says what the broker needs for it.
func (c *pkiRemoveCmd) Run(env *environment) error {
	f, err := pki.Open(c.Dir)
	if err != nil {
		return err
	}
	name := c.Who
	if !proto.DeviceID(name).Valid() {
		id, err := readKey(env, c.Who)
		if err != nil {
			return err
		}
		name = string(id)
	}
	if err := f.Remove(name); err != nil {
		return err
	}
	return say(env.out, "%s is removed here. It ends when the broker knows; on its machine, as root:\n"+
		"    install -m 0640 -g mosquitto %s %s /etc/mosquitto/camd/\n"+
		"    systemctl restart mosquitto\n"+
		"The restart ends what is connected with it; everyone else is back within seconds. Remove its file from the camera's folder of logins, too.",
		name, f.Path("broker", "crl.pem"), f.Path("broker", "viewers.acl"))
}

// keyMark is where a key begins among other text. docs/protocol.md 2.9.
const keyMark = "CAMD-KEY:"

// readKey reads a client's name, or the key that it is the name of, as text or out of a
// file, such as one with what camctl id printed.
func readKey(env *environment, text string) (proto.ClientID, error) {
	if text == "-" {
		data, err := io.ReadAll(io.LimitReader(env.in, proto.MaxMessage))
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}
		text = string(data)
	}
	if id := proto.ClientID(strings.TrimSpace(text)); id.Valid() {
		return id, nil
	}
	if st, err := os.Stat(text); err == nil && st.Mode().IsRegular() {
		data, err := readSmall(text)
		if err != nil {
			return "", err
		}
		text = string(data)
	}
	if i := strings.Index(text, keyMark); i > 0 {
		text = text[i:] // camctl id prints name and words before it
	}
	key, _, err := home.ParseKey(text)
	if err != nil {
		return "", err
	}
	return key.ClientID(), nil
}
