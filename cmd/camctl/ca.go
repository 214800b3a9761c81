package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/pki"
)

// caCmd is a household's own authority, for its own broker: camops pki for people who run
// no fleet, with the same folder. docs/operations.md.
type caCmd struct {
	Init *caInitCmd `arg:"subcommand:init" help:"make an authority, the broker's certificate, and the folder with all that mosquitto needs"`
	Sign *caSignCmd `arg:"subcommand:sign" help:"sign a camera's request"`
}

// authorityFlag names the authority's folder.
type authorityFlag struct {
	Dir string `arg:"--dir" help:"folder of the authority" default:"camd-pki" placeholder:"DIR"`
}

type caInitCmd struct {
	authorityFlag
	Name  string   `arg:"--name" help:"name of the authority" default:"household broker authority"`
	Hosts []string `arg:"positional,required" help:"names and addresses by which cameras and clients find the broker" placeholder:"HOST"`
}

// Run makes the folder and says where the files go.
func (c caInitCmd) Run(env *environment) error {
	if err := pki.CheckHosts(c.Hosts...); err != nil {
		return command.Usage(err.Error())
	}
	f, err := pki.Create(c.Dir, c.Name)
	if err != nil {
		return err
	}
	if err := f.MakeServer(false, c.Hosts...); err != nil {
		return err
	}
	return env.Print(map[string]any{"dir": f.Path(), "hosts": c.Hosts},
		"The authority is in %s. Its key, %s, is not encrypted: whoever has it lets anyone into your broker, and nobody into a camera. Keep the folder to yourself.\n"+
			"On the broker's machine, as root:\n"+
			"    install -d -m 0750 -g mosquitto /etc/mosquitto/camd\n"+
			"    install -m 0640 -g mosquitto %s/* /etc/mosquitto/camd/\n"+
			"    install -m 0644 %s /etc/mosquitto/mosquitto.conf\n"+
			"    systemctl restart mosquitto\n"+
			"Cameras use mqtts://%s and %s as ca, you use mqtts://%s.",
		f.Path(), f.Path("ca.key"), f.Path("broker"), f.Path("mosquitto.conf"),
		net.JoinHostPort(c.Hosts[0], "8883"), f.Path("broker", "ca.crt"), net.JoinHostPort(c.Hosts[0], "8884"))
}

type caSignCmd struct {
	authorityFlag
	Renew   bool   `arg:"--renew" help:"replace the certificate that is there"`
	Request string `arg:"positional,required" help:"the camera's request: its identity/device.csr, or what camctl certificate request printed" placeholder:"CSR"`
}

// Run signs the request.
func (c caSignCmd) Run(env *environment) error {
	f, err := openAuthority(c.Dir)
	if err != nil {
		return err
	}
	text, err := readSmall(c.Request)
	if err != nil {
		return err
	}
	id, path, err := f.MakeDevice(text, c.Renew)
	if err != nil {
		return err
	}
	return env.Print(map[string]string{"device": string(id), "certificate": path},
		"The certificate of the camera %s is %s.\nIf camctl certificate request printed the request, give the certificate to the camera with: camctl certificate set --chain %s\n"+
			"If the request is identity/device.csr, copy the certificate to identity/operational.crt in the camera's state folder.", id, path, path)
}

// openAuthority opens the folder that camctl ca init or camops pki init made.
func openAuthority(dir string) (*pki.Folder, error) {
	f, err := pki.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%s", strings.Replace(err.Error(), "camops pki init", "camctl ca init", 1))
	}
	return f, nil
}
