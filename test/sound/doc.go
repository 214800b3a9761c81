// Package sound makes what tests send to a camera's loudspeaker, and finds it again
// in what the loudspeaker played. Samples are 48 kHz mono. It owns nothing but the
// track of a Wire, which ends with its connection.
package sound
