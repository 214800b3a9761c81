//go:build cgo

package h264

/*
#include <stdio.h>

// openh264 warns on standard error, about nothing that a person could change, and a
// reader of camd's log that stalls would stop the picture there. Only glibc lets stderr
// be set; who builds with another C library keeps the warnings.
static void hush(void) {
#ifdef __GLIBC__
	FILE *nowhere = fopen("/dev/null", "we");
	if (nowhere != NULL)
		stderr = nowhere;
#endif
}
*/
import "C"

import "sync"

// hush keeps what C code says from standard error, which camd's log has for itself.
var hush = sync.OnceFunc(func() { C.hush() })
