package live

import (
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/transport/v5"

	"github.com/camd-project/camd/pkg/live/udp"
)

// sharedSocket is the UDP socket of all sessions, opened with the first one and closed
// with the last.
type sharedSocket struct {
	mu     sync.Mutex // held over bind and close: a second session must find the first's socket
	socket *udp.Socket
	mux    *ice.UDPMuxDefault
	users  int
}

func (s *sharedSocket) acquire(n transport.Net, log logging.LeveledLogger) (*udp.Socket, ice.UDPMux, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == 0 {
		k, err := udp.Open()
		if err != nil {
			return nil, nil, err
		}
		s.socket, s.mux = k, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: k, Net: n, Logger: log})
	}
	s.users++
	return s.socket, s.mux, nil
}

func (s *sharedSocket) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return nil
	}
	err := s.mux.Close()
	s.socket, s.mux = nil, nil
	return err
}
