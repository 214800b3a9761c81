package sound

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// Pace is a packet's time.
const Pace = 20 * time.Millisecond

// Network loses packets, and delays each by any time up to Jitter, so that they overtake
// one another.
type Network struct {
	Loss   float64 // 0 to 1
	Jitter time.Duration
}

// arrival is when the n-th packet comes out of the network.
type arrival struct {
	n  int
	at time.Duration
}

// carry decides what happens to n packets, the same for the same seed.
func (n Network) carry(seed uint64, packets int) (out []arrival) {
	random := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // the same each time
	for i := range packets {
		lost := random.Float64() < n.Loss
		at := time.Duration(i)*Pace + time.Duration(random.Int64N(int64(n.Jitter)+1))
		if !lost {
			out = append(out, arrival{i, at})
		}
	}
	slices.SortStableFunc(out, func(a, b arrival) int { return int(a.at - b.at) })
	return out
}

// Send hands over a packet of a voice every 20 ms from began on, numbered from first on,
// and lets send have what the network delivers, the same for the same seed. It returns
// when that is all, and how late it was at the worst itself: on a busy machine there is
// more jitter than Jitter.
func (n Network) Send(seed uint64, began time.Time, first int, packets [][]byte, send func(*rtp.Packet) error) (late time.Duration, err error) {
	for _, a := range n.carry(seed, len(packets)) {
		time.Sleep(time.Until(began.Add(a.at)))
		late = max(late, time.Since(began)-a.at)
		if err := send(Packet(first+a.n, packets[a.n])); err != nil {
			return late, err
		}
	}
	return late, nil
}
