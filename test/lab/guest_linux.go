package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/camd-project/camd/test/lab/agent"
)

// bootDeadline is how long a guest may take until it answers; two to four seconds
// are usual, and half a minute with firmware and an init of its own.
const bootDeadline = 10 * time.Minute

// ErrEnded means that the machine went off, or began anew, before it answered.
var ErrEnded = errors.New("the guest ended before it answered")

// Machine says what to boot.
type Machine struct {
	Arch    Arch
	Kernel  *Kernel
	Init    string   // path of the guest's first process, built for Arch
	Modules []string // a name and parameters each; those of the machine itself come by themselves
	Disks   []Disk
	Files   Archive // for the guest's root file system
	// Firmware boots the first disk instead, and what there is on it names neither kernel,
	// modules nor files here.
	Firmware string
	Net      *Namespace // shared by guest and host
	Dir      string     // for the initramfs, the console's log and the socket; its path is short
}

// hda drives a sound card of QEMU's own, with a mixer, which plays to nobody. A machine
// has it if it has the module.
const hda = "snd-hda-intel"

// Guest is a running machine.
type Guest struct {
	client *rpc.Client
	qemu   *exec.Cmd
	net    *Namespace
	ended  chan struct{} // closed when QEMU has ended
	log    string

	mu     sync.Mutex
	output map[string][]string // what started processes have said
}

// Boot starts a guest and waits until it answers.
func Boot(ctx context.Context, m Machine) (*Guest, error) {
	initrd := filepath.Join(m.Dir, "initrd")
	if m.Firmware == "" {
		if err := writeInitrd(initrd, m.Kernel, m.Init, m.Files, m.modules()); err != nil {
			return nil, err
		}
	}
	socket := filepath.Join(m.Dir, "port")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for the guest's serial port: %w", err)
	}
	defer listener.Close() //nolint:errcheck // the one connection was taken
	g := &Guest{net: m.Net, ended: make(chan struct{}), output: map[string][]string{}, log: filepath.Join(m.Dir, "console.log")}
	if err := g.start(m, initrd, socket); err != nil {
		return nil, err
	}
	if err := g.connect(ctx, listener); err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// start starts QEMU in the namespace, on whose thread it depends.
func (g *Guest) start(m Machine, initrd, socket string) error {
	console, err := os.Create(g.log)
	if err != nil {
		return err
	}
	defer console.Close() //nolint:errcheck // QEMU has its own descriptor
	words := GuestAddress.String() + " " + strconv.FormatInt(time.Now().Unix(), 10)
	args := append(slices.Clone(m.Arch.QEMU[1:]),
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", "512",
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-netdev", "tap,id=net,fd=3",
		"-device", "virtio-net-pci,netdev=net,romfile=", // without recommended packages there is no ROM
		"-device", "virtio-serial-pci",
		"-chardev", "socket,id=port,path="+socket,
		"-device", "virtserialport,chardev=port,name="+agent.Port)
	if m.Firmware != "" {
		args = append(args, "-bios", m.Firmware)
	} else {
		args = append(args, "-kernel", m.Kernel.Image, "-initrd", initrd, "-append", "console=ttyAMA0 panic=-1 quiet -- "+words)
	}
	for i, d := range m.Disks {
		more, err := d.arguments(i)
		if err != nil {
			return err
		}
		args = append(args, more...)
	}
	if slices.Contains(m.Modules, hda) {
		args = append(args, "-audiodev", "none,id=sound", "-device", "intel-hda", "-device", "hda-duplex,audiodev=sound")
	}
	g.qemu = exec.Command(m.Arch.QEMU[0], args...)
	g.qemu.Stdout, g.qemu.Stderr = console, console
	g.qemu.ExtraFiles = []*os.File{m.Net.tap}
	g.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.Net.Do(func() { err = g.qemu.Start() })
	if err != nil {
		return fmt.Errorf("start QEMU: %w", err)
	}
	go func() {
		defer close(g.ended)
		g.qemu.Wait() //nolint:errcheck // how it ended stands in the log
	}()
	return nil
}

// connect takes QEMU's connection and waits for the guest's first answer.
func (g *Guest) connect(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithTimeout(ctx, bootDeadline)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() }) //nolint:errcheck // frees Accept
	defer stop()
	go func() {
		select {
		case <-g.ended:
			l.Close() //nolint:errcheck // frees Accept
		case <-ctx.Done():
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		return fmt.Errorf("wait for QEMU's serial port: %w", err)
	}
	g.client = rpc.NewClient(conn)
	var names []string
	err = g.call(ctx, "Glob", "/init", &names)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	return err
}

// Kill ends the guest at once.
func (g *Guest) Kill() {
	g.qemu.Process.Kill() //nolint:errcheck // it may have ended
	<-g.ended
	if g.client != nil {
		g.client.Close() //nolint:errcheck // closed by QEMU's end already, perhaps
	}
}

// PowerOff ends the guest in order and waits for it.
func (g *Guest) PowerOff(ctx context.Context) error {
	// The answer may be lost on the way: what counts is that QEMU ends.
	g.client.Go(agent.Service+".PowerOff", agent.Empty{}, &agent.Empty{}, nil)
	select {
	case <-g.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("power off: %w", ctx.Err())
	}
}

// Log is what the guest's console has said.
func (g *Guest) Log() string {
	b, err := os.ReadFile(g.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
