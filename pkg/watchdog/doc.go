// Package watchdog tells the service manager, systemd, that camd serves, that it stops,
// and that it still goes on. It owns nothing but that one way out (sd_notify(3)).
//
// What counts as going on is progress: each required part has to answer, out of the loop
// in which it does its work, each time before the watchdog is fed. A part that waits for
// something on purpose answers while it waits; one that hangs does not, nor does one that
// waits for a lock that nobody gives back. No timer feeds the watchdog by itself. Parts
// that others can hold up, such as the link to the broker, are not asked, so that nobody
// out there can bring about a restart.
package watchdog
