package download

import "time"

// Hasty makes a Downloader that does not wait long for a server.
func Hasty(c Config, stall time.Duration) *Downloader {
	d := New(c)
	d.again, d.stall = time.Millisecond, stall
	return d
}
