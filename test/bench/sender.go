package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// sender is what is measured. Both have the same signalling: an offer is posted,
// the answer comes back.
type sender interface {
	// answer starts a session. complete asks for all candidates in the answer.
	answer(offer string, complete bool) (string, error)
	frames() uint64
	// delays tells how long frames took from hand-over to their last send since it
	// was asked last.
	delays() map[string]time.Duration
}

// figures are what a sender tells of itself.
type figures struct {
	Frames  uint64
	Mallocs uint64
	Delay   map[string]time.Duration
}

type senderFlags struct {
	clip, relay, listen string
	rate, kbps          int
}

func parseSender(args []string) (o senderFlags, err error) {
	f := flag.NewFlagSet("sender", flag.ContinueOnError)
	f.StringVar(&o.clip, "clip", "", "file of H.264, or of raw pictures")
	f.IntVar(&o.rate, "rate", clipRate, "pictures of the file in a second")
	f.IntVar(&o.kbps, "kbps", clipKbps, "the most that an encoder makes of raw pictures")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "where offers are posted")
	f.StringVar(&o.relay, "relay", "", "URL of a TURN server")
	return o, f.Parse(args)
}

// serve prints the sender's address and serves until standard input ends.
func serve(s sender, listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /offer", func(w http.ResponseWriter, r *http.Request) { offered(s, w, r) })
	mux.HandleFunc("GET /figures", func(w http.ResponseWriter, _ *http.Request) { tell(s, w) })
	if p, ok := s.(*plainSender); ok {
		mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, plainPage) })
		mux.HandleFunc("GET /handovers", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(p.handovers()) })
	}
	mux.HandleFunc("POST /collect", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	mux.HandleFunc("GET /profile", pprof.Profile)
	mux.Handle("GET /allocs", pprof.Handler("allocs"))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Printf("%q\n", "http://"+l.Addr().String())
	return http.Serve(l, mux) //nolint:gosec // on loopback or in a lab, for one caller
}

func offered(s sender, w http.ResponseWriter, r *http.Request) {
	offer, err := io.ReadAll(r.Body)
	if err == nil {
		var answer string
		if answer, err = s.answer(string(offer), r.URL.Query().Has("complete")); err == nil {
			_, _ = io.WriteString(w, answer)
			return
		}
	}
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

func tell(s sender, w http.ResponseWriter) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(figures{Frames: s.frames(), Mallocs: m.Mallocs, Delay: s.delays()})
}

var quantiles = map[string]float64{"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}

func quantilesOf(quantile func(q float64) time.Duration) map[string]time.Duration {
	m := make(map[string]time.Duration)
	for name, q := range quantiles {
		m[name] = quantile(q)
	}
	return m
}

// quantile sorts l.
func quantile(l []time.Duration, q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// onlyLoopback tells whether the machine has no other address to meet at.
func onlyLoopback() bool {
	addrs, _ := net.InterfaceAddrs()
	return !slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.IsGlobalUnicast()
	})
}
