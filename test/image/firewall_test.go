package image

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

const (
	cameraAddress  = "10.9.8.1"
	outsideAddress = "10.9.8.2"
)

// TestFirewall runs a camera with the image's rules and somebody outside in network
// namespaces of their own: nothing that nobody asked for comes in.
func TestFirewall(t *testing.T) {
	t.Parallel()
	switch os.Getenv("CAMD_FIREWALL") {
	case "camera":
		firewallCamera(t)
		return
	case "outside":
		firewallOutside(t)
		return
	}
	need(t, "nft", "ip", "nsenter", "sleep")
	if os.Geteuid() != 0 {
		t.Skip("only root makes network namespaces and loads rules")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFirewall$")
	cmd.Env = append(os.Environ(), "CAMD_FIREWALL=camera", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func firewallCamera(t *testing.T) {
	peer := exec.CommandContext(t.Context(), "sleep", "600") // holds the other namespace
	peer.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	must(t, peer.Start())
	defer func() { _ = peer.Process.Kill(); _ = peer.Wait() }()
	pid := fmt.Sprint(peer.Process.Pid)
	for _, args := range [][]string{
		{"ip", "link", "set", "lo", "up"}, {"ip", "link", "add", "camera", "type", "veth", "peer", "name", "outside"},
		{"ip", "link", "set", "outside", "netns", pid}, {"ip", "address", "add", cameraAddress + "/24", "dev", "camera"}, {"ip", "link", "set", "camera", "up"},
		{"nsenter", "-t", pid, "-n", "ip", "address", "add", outsideAddress + "/24", "dev", "outside"},
		{"nsenter", "-t", pid, "-n", "ip", "link", "set", "outside", "up"},
		{"nft", "-f", tree.path("board/common/rootfs-overlay/etc/nftables.conf")},
	} {
		_, err := run(t.Context(), args[0], args[1:]...)
		must(t, err)
	}
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: 7000})
	must(t, err)
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 7000})
	must(t, err)

	outside := exec.CommandContext(t.Context(), "nsenter", "-t", pid, "-n", os.Args[0], "-test.run=^TestFirewall$")
	outside.Env = append(os.Environ(), "CAMD_FIREWALL=outside")
	outside.Stderr = os.Stderr
	said, err := outside.StdoutPipe()
	must(t, err)
	must(t, outside.Start())
	defer func() { _ = outside.Process.Kill(); _ = outside.Wait() }()
	lines := bufio.NewScanner(said)
	for lines.Scan() && lines.Text() != "sent" { //nolint:revive // what it sent is on its way
	}

	// What the camera asks for is answered, over the same wire and after what came before.
	ask, err := net.Dial("udp4", outsideAddress+":9000")
	must(t, err)
	must(t, ask.SetDeadline(time.Now().Add(time.Minute)))
	_, err = ask.Write([]byte("question"))
	must(t, err)
	if _, err := ask.Read(make([]byte, 100)); err != nil {
		t.Fatalf("an answer does not come in: %v", err)
	}
	// What has come in lies there: nothing is waited for.
	if err := now(t, tcp, func(fd int) error { _, _, err := syscall.Accept(fd); return err }); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a TCP port: %v", err)
	}
	if err := now(t, udp, func(fd int) error { _, _, err := syscall.Recvfrom(fd, make([]byte, 100), 0); return err }); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a UDP port: %v", err)
	}
}

// now does with a socket what does not wait.
func now(t *testing.T, c syscall.Conn, do func(fd int) error) (result error) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { result = do(int(fd)) }))
	return result
}

func firewallOutside(t *testing.T) {
	answer, err := net.ListenPacket("udp4", ":9000")
	must(t, err)
	c, err := net.Dial("udp4", cameraAddress+":7000")
	must(t, err)
	_, err = c.Write([]byte("unasked"))
	must(t, err)
	// The SYN is sent when connect(2) has returned, and nothing waits for its answer.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
	must(t, err)
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: 7000, Addr: [4]byte{10, 9, 8, 1}}); !errors.Is(err, syscall.EINPROGRESS) {
		t.Fatalf("connect: %v", err)
	}
	fmt.Println("sent")
	b := make([]byte, 100)
	_, from, err := answer.ReadFrom(b)
	must(t, err)
	_, err = answer.WriteTo([]byte("answer"), from)
	must(t, err)
	must(t, answer.SetDeadline(time.Now().Add(time.Minute)))
	_, _, _ = answer.ReadFrom(b) // until it is ended
}
