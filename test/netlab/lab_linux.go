package netlab

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/camd-project/camd/test/lab/netif"
)

// Path is what the way between home and internet does to each packet.
type Path struct {
	Delay  time.Duration // each way
	Jitter time.Duration // at most so much more, each way
	Loss   float64       // share of the packets that leave the home, 0 to 1
	Burst  float64       // how many are lost in a row on average; up to 1: at random
	Seed   uint64
}

// Queue is a token bucket with a queue before it.
type Queue struct {
	Rate int           // bits per second; 0: there is none
	Max  time.Duration // how long the last packet waits that is not dropped
}

// Addresses. RFC 2544's are for benchmarks; nobody routes them.
const (
	Internet = "198.18.0.1" // of the process itself
	Camera   = "198.18.1.2"

	wan = "wan" // interface that joins home and internet, in both
	lan = "lan" // bridge of the home's own network
)

// Names of the namespaces, beside those of viewers.
const (
	homeNetwork    = "home"
	CameraNetwork  = "camera"
	ComputerInHome = "computer"
)

// Lab is a home with its uplink.
type Lab struct {
	ends     []io.Closer // of the uplink, and meters
	networks []string    // namespaces
	up       *pipe
	uplink   *meter
	viewers  int
}

var mountOnce = sync.OnceValue(mountOwn)

// New makes the home. Only a process that Command started can have a lab, and only one at a
// time.
func New(path Path, uplink Queue) (l *Lab, err error) {
	if !Inside() {
		return nil, errors.New("a lab needs namespaces of its own: see Command")
	}
	if err := mountOnce(); err != nil {
		return nil, err
	}
	l = &Lab{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := ip("link set lo up", "address replace "+Internet+"/32 dev lo"); err != nil {
		return l, err
	}
	if err := l.network(homeNetwork); err != nil {
		return l, err
	}
	if err := l.join(path); err != nil {
		return l, err
	}
	for _, f := range []string{"", homeNetwork} {
		if err := forward(f); err != nil {
			return l, err
		}
	}
	if err := ip("-n "+homeNetwork+" link add "+lan+" type bridge", "-n "+homeNetwork+" address add 198.18.1.1/24 dev "+lan, "-n "+homeNetwork+" link set "+lan+" up"); err != nil {
		return l, err
	}
	for i, name := range []string{CameraNetwork, ComputerInHome} {
		if err := l.inHome(name, fmt.Sprintf("198.18.1.%d", 2+i)); err != nil {
			return l, err
		}
	}
	if l.uplink, err = newMeter(homeNetwork, wan); err != nil {
		return l, err
	}
	l.ends = append(l.ends, l.uplink)
	return l, l.Uplink(uplink)
}

// join makes the uplink, with the relay in its middle.
func (l *Lab) join(path Path) error {
	open := func() error {
		fd, err := netif.Tun(wan)
		if err != nil {
			return err
		}
		err = unix.SetNonblock(fd, true) // so that Close ends a Read
		l.ends = append(l.ends, os.NewFile(uintptr(fd), wan))
		return err
	}
	if err := in(homeNetwork, open); err != nil {
		return err
	}
	if err := open(); err != nil {
		return err
	}
	if err := ip(
		"-n "+homeNetwork+" link set "+wan+" up mtu 1500 txqueuelen 1000", "-n "+homeNetwork+" route add default dev "+wan,
		"link set "+wan+" up mtu 1500 txqueuelen 1000", "route add 198.18.1.0/24 dev "+wan,
	); err != nil {
		return err
	}
	inHome, outside := l.ends[0].(*os.File), l.ends[1].(*os.File)
	back := path
	back.Loss = 0
	l.up = &pipe{from: inHome, to: outside, path: path, rand: rand.New(rand.NewPCG(path.Seed, 1))}
	down := &pipe{from: outside, to: inHome, path: back, rand: rand.New(rand.NewPCG(path.Seed, 2))}
	go l.up.run()
	go down.run()
	return nil
}

// network makes a namespace.
func (l *Lab) network(name string) error {
	err := ip("netns add " + name)
	if err == nil {
		l.networks = append(l.networks, name)
		err = ip("-n " + name + " link set lo up")
	}
	return err
}

// forward lets a namespace route; "" is the internet.
func forward(namespace string) error {
	set := func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) } // of the thread's namespace
	if namespace == "" {
		return set()
	}
	return in(namespace, set)
}

// inHome makes a namespace with one host of the home's own network.
func (l *Lab) inHome(name, address string) error {
	if err := l.network(name); err != nil {
		return err
	}
	home, host, to := "-n "+homeNetwork+" ", "-n "+name+" ", "to-"+name
	return ip(home+"link add "+to+" type veth peer name eth0 netns "+name, home+"link set "+to+" up master "+lan,
		host+"address add "+address+"/24 dev eth0", host+"link set eth0 up", host+"route add default via 198.18.1.1")
}

// Viewer makes a host on the internet with a downlink of its own, and returns the name of its
// namespace and what its queue does.
func (l *Lab) Viewer(downlink Queue) (name string, m Meter, err error) {
	name = fmt.Sprintf("viewer%d", l.viewers+1)
	if err := l.network(name); err != nil {
		return "", nil, err
	}
	to, prefix, host := "to-"+name, fmt.Sprintf("198.18.%d", 11+l.viewers), "-n "+name+" "
	if err := ip("link add " + to + " type veth peer name eth0 netns " + name); err != nil {
		return "", nil, err
	}
	l.viewers++
	if err := ip("address add "+prefix+".1/30 dev "+to, "link set "+to+" up",
		host+"address add "+prefix+".2/30 dev eth0", host+"link set eth0 up", host+"route add default via "+prefix+".1"); err != nil {
		return "", nil, err
	}
	own, err := newMeter("", to)
	if err != nil {
		return "", nil, err
	}
	l.ends = append(l.ends, own)
	return name, own, shape("", to, downlink)
}

// Uplink sets the home's uplink; what waits in its queue stays.
func (l *Lab) Uplink(q Queue) error { return shape(homeNetwork, wan, q) }

// shape puts a token bucket before an interface, or changes the one that is there.
func shape(namespace, device string, q Queue) error {
	if q.Rate == 0 {
		return nil
	}
	if namespace != "" {
		namespace = "-n " + namespace
	}
	// The bucket holds two packets, so that nothing leaves faster than the link for long.
	return run(fmt.Sprintf("tc %s qdisc replace dev %s root tbf rate %dbit burst 3028 latency %dus", namespace, device, q.Rate, q.Max.Microseconds()))
}

// Run returns a command that runs a program in a namespace; it becomes the program.
func (l *Lab) Run(namespace, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", namespace, program}, args...)...)
}

// Meter returns the meter of the uplink's queue.
func (l *Lab) Meter() Meter { return l.uplink }

// Lost returns how many packets the path has lost, other than its queue.
func (l *Lab) Lost() uint64 { return l.up.lost.Load() }

// Close ends the relay, and takes everything away. What still runs in the namespaces has no
// network any more.
func (l *Lab) Close() error {
	var all []error
	for _, c := range l.ends {
		all = append(all, c.Close())
	}
	for n := range l.viewers {
		all = append(all, ip(fmt.Sprintf("link delete to-viewer%d", n+1)))
	}
	for _, name := range l.networks {
		all = append(all, ip("netns delete "+name))
	}
	return errors.Join(all...)
}
