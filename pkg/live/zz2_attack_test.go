package live

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"github.com/camd-project/camd/pkg/proto"
)

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 10
}

func TestZZReports(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(10*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	before := heap()
	ssrc := uint32(1)
	for range 300 {
		f := &rtcp.FullIntraRequest{SenderSSRC: 7, MediaSSRC: 1}
		for range 140 {
			ssrc++
			f.FIR = append(f.FIR, rtcp.FIREntry{SSRC: ssrc})
		}
		must(t, p.pc.WriteRTCP([]rtcp.Packet{f}))
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Second)
	t.Logf("heap %d KB -> %d KB, goroutines %d", before, heap(), runtime.NumGoroutine())
	select {
	case <-p.session.Done():
		t.Log("ended", p.session.Reason())
	default:
		t.Log("session lives")
	}
}

var hostPort = regexp.MustCompile(`a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host`)
var ufragRe = regexp.MustCompile(`a=ice-ufrag:(\S+)`)
var pwdRe = regexp.MustCompile(`a=ice-pwd:(\S+)`)

func TestZZPrflx(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(10*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{engine: func(e *webrtc.SettingEngine) {}})
	get(t, p.video)
	m := hostPort.FindStringSubmatch(p.answer)
	to, err := net.ResolveUDPAddr("udp4", m[1]+":"+m[2])
	must(t, err)
	local, pwd := ufragRe.FindStringSubmatch(p.answer)[1], pwdRe.FindStringSubmatch(p.answer)[1]
	remote := ufragRe.FindStringSubmatch(p.pc.LocalDescription().SDP)[1]
	before := heap()
	answered := 0
	for i := range 3000 {
		c, err := net.DialUDP("udp4", nil, to)
		must(t, err)
		msg, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(local+":"+remote), ice.AttrControlling(5), ice.PriorityAttr(uint32(i+1)), stun.NewShortTermIntegrity(pwd), stun.Fingerprint)
		must(t, err)
		_, err = c.Write(msg.Raw)
		must(t, err)
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		b := make([]byte, 1500)
		if _, err := c.Read(b); err == nil {
			answered++
		}
		c.Close()
	}
	t.Logf("answered %d heap %d KB -> %d KB", answered, before, heap())
	// how long does an ordinary frame take
	t.Log(p.session.Stats())
}

func TestZZFlood(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	r := newRig(t, DefaultConfig(), newCamera(false))
	r.stream(30*time.Millisecond, 10)
	p := watch(t, r, "one", peerOptions{})
	get(t, p.video)
	m := hostPort.FindStringSubmatch(p.answer)
	to, err := net.ResolveUDPAddr("udp4", m[1]+":"+m[2])
	must(t, err)
	local := ufragRe.FindStringSubmatch(p.answer)[1]
	msg, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewUsername(local+":xxxx"), stun.NewShortTermIntegrity("wrongwrongwrongwrongwrong"), stun.Fingerprint)
	must(t, err)
	c, err := net.DialUDP("udp4", nil, to)
	must(t, err)
	var ms runtime.MemStats
	n := 0
	for i := 0; i < 10; i++ {
		end := time.Now().Add(time.Second)
		for time.Now().Before(end) {
			for range 50 {
				_, _ = c.Write(msg.Raw)
				n++
			}
		}
		runtime.ReadMemStats(&ms)
		t.Logf("sent %d heap %d KB sys %d KB", n, ms.HeapAlloc>>10, ms.Sys>>10)
	}
	var _ = binary.BigEndian
	var _ = rand.Read
	var _ = fmt.Sprint
}

func TestZZRelay(t *testing.T) {
	if os.Getenv("ZZ") == "" {
		t.Skip()
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer tcp.Close()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			_ = c
		}
	}()
	garbage, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer garbage.Close()
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 65536)
				_, _ = rand.Read(b)
				// a STUN header that announces a lot, again and again
				copy(b, []byte{0x01, 0x03, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42})
				for {
					if _, err := c.Write(b); err != nil {
						return
					}
				}
			}()
		}
	}()
	for name, url := range map[string]string{
		"silent udp": "turn:" + udp.LocalAddr().String() + "?transport=udp",
		"stun udp":   "stun:" + udp.LocalAddr().String(),
		"silent tcp": overTCP(tcp.Addr().String()),
		"silent tls": "turns:" + tcp.Addr().String() + "?transport=tcp",
		"garbage":    overTCP(garbage.Addr().String()),
		"name":       "turn:nobody.invalid:3478?transport=tcp",
		"blackhole":  overTCP("198.51.100.1:3478"),
	} {
		for _, only := range []bool{false, true} {
			if only && strings.HasPrefix(url, "stun:") {
				continue
			}
			t.Run(fmt.Sprint(name, only), func(t *testing.T) {
				cfg := relayConfig(url)
				cfg.RelayOnly = only
				g := runtime.NumGoroutine()
				r := newRig(t, cfg, newCamera(false))
				p := newPeer(t, peerOptions{})
				began := time.Now()
				s, _, err := r.Start(t.Context(), Offer{Client: "c", Session: "s", SDP: p.offer(peerOptions{}), View: true, Signal: func(proto.SignalKind, any) {}})
				must(t, err)
				started := time.Since(began)
				time.Sleep(300 * time.Millisecond)
				h := heap()
				began = time.Now()
				must(t, r.Bye("c", "s"))
				<-s.Done()
				ended := time.Since(began)
				began = time.Now()
				r.stop()
				must(t, p.pc.GracefulClose())
				time.Sleep(200 * time.Millisecond)
				t.Logf("start %v, end %v, stop %v, heap %d, goroutines +%d", started, ended, time.Since(began), h, runtime.NumGoroutine()-g)
			})
		}
	}
}
