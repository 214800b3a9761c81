package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/client/home"
	"github.com/camd-project/camd/pkg/proto"
)

const (
	camdStart = 20 * time.Second
	camdStop  = 10 * time.Second
	camdPoll  = 50 * time.Millisecond
	logTail   = 8 // lines of camd's log that are shown when it dies

	socketName = "camd.sock"
	configFile = "camd.toml"
)

// sources say where picture and sound come from.
type sources struct{ video, audio string }

// chooseSources takes the real camera and microphone where there are any.
func chooseSources(synthetic bool) sources {
	s := sources{video: "synthetic", audio: "tone"}
	if synthetic {
		return s
	}
	if _, err := os.Stat("/dev/video0"); err == nil {
		s.video = "v4l2"
	}
	if l, err := filepath.Glob("/dev/snd/pcmC*D*c"); err == nil && len(l) > 0 {
		s.audio = "alsa"
	}
	return s
}

func (s sources) String() string {
	picture, sound := "the camera", "the microphone"
	if s.video == "synthetic" {
		picture = "a test pattern (there is no /dev/video0)"
	}
	if s.audio == "tone" {
		sound = "a beep (there is no microphone)"
	}
	return picture + " and " + sound
}

// speaker is where camd plays: on a sound card with the real microphone, else into a
// file that the room lets be heard.
func (d *demo) speaker(s sources) string {
	if s.audio == "alsa" {
		return "auto"
	}
	d.played = filepath.Join(d.dir, "loudspeaker.raw")
	return "file"
}

// files are where camd finds its things.
type files struct{ config, state, socket, ca, certificate string }

// writeConfig writes camd's configuration: the defaults, but for what is the demo's.
func (d *demo) writeConfig(s sources) (files, error) {
	f := files{config: d.configPath(), state: filepath.Join(d.dir, "state"),
		socket: d.socket(), certificate: filepath.Join(d.dir, "device.crt")}
	var err error
	if f.ca, err = pki.WriteCA(d.dir, "broker-ca", d.ca); err != nil {
		return f, err
	}
	speaker := d.speaker(s)
	text := fmt.Sprintf(`[device]
name = %q
state = %q
socket = %q

[household]
privacy_off = "members"
clock = "battery"

[capture]
source = %q

[audio]
source = %q
speaker = %q
speaker_file = %q

[panel]
live_led = "none"

[setup]
ble = "off"

[link]
broker = %q
ca = %q
certificate = %q
`, cameraName, f.state, f.socket, s.video, s.audio, speaker, d.played, "mqtts://"+d.broker.Address(), f.ca, f.certificate)
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		return f, fmt.Errorf("camd's configuration can't be written: %w", err)
	}
	return f, nil
}

func (d *demo) configPath() string { return filepath.Join(d.dir, configFile) }

// factory makes the device's identity and returns its label.
func (d *demo) factory(f files) (pairing.Label, error) {
	cmd := exec.CommandContext(d.env.ctx, d.program, "factory", "init", "--tpm", "off", "--json", "--config", f.config)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		if why := strings.TrimSpace(errOut.String()); why != "" {
			return pairing.Label{}, fmt.Errorf("camd factory init failed: %s", strings.TrimPrefix(why, "camd: "))
		}
		return pairing.Label{}, fmt.Errorf("%s can't be run as camd: %w; name another with --camd, or build it with make build", d.program, home.WithoutPath(err))
	}
	var made struct {
		Label string `json:"label"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return pairing.Label{}, fmt.Errorf("camd factory init printed no JSON: %w", err)
	}
	return pairing.ParseLabel(made.Label)
}

// certify signs the device's request for its broker certificate, as an operator does.
func (d *demo) certify(device proto.DeviceID, f files) error {
	data, err := os.ReadFile(filepath.Join(f.state, "identity", "device.csr"))
	if err != nil {
		return fmt.Errorf("the device's certificate request can't be read: %w", err)
	}
	named, cert, err := d.ca.CertifyRequest(data)
	if err != nil {
		return err
	}
	if named != device {
		return errors.New("the device's certificate request is not its own")
	}
	return os.WriteFile(f.certificate, cert, 0o600)
}

// process is camd, running beside.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // set before done is closed
}

// startProcess runs camd in a process group of its own, so that a Ctrl-C at the
// terminal reaches only camdemo, which then ends it in order.
func startProcess(program, log string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("camd's log can't be made: %w", err)
	}
	defer func() { _ = out.Close() }() // the child has its own
	p := &process{cmd: exec.Command(program, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = out, out, childAttributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s can't be started: %w", program, err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	return p, nil
}

// await polls until check succeeds.
func (p *process) await(ctx context.Context, check func() error) error {
	deadline := time.NewTimer(camdStart)
	defer deadline.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(camdPoll):
		case <-p.done:
			return p.died()
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("camd did not serve within %v: %w", camdStart, err)
		}
	}
}

// died says how camd ended, with the end of its log.
func (p *process) died() error {
	data, err := os.ReadFile(p.log)
	if err != nil {
		data = []byte(err.Error())
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	lines = lines[max(0, len(lines)-logTail):]
	return fmt.Errorf("camd ended by itself (%s); its last words: %s", p.cmd.ProcessState, strings.Join(lines, " | "))
}

// stop ends camd, at last by force.
func (p *process) stop() error {
	select {
	case <-p.done:
		return nil // the function that waited for it has said so
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("camd can't be stopped: %w", err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(camdStop):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("camd can't be killed: %w", err)
	}
	<-p.done
	return fmt.Errorf("camd did not stop within %v and was killed", camdStop)
}
