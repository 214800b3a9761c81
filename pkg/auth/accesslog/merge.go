package accesslog

import "time"

// short is below what a session counts as short.
const short = 10 * time.Second
