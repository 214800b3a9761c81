// Package watchdog tells the service manager, systemd, that camd has started, that it is
// stopping, and that it is alive (sd_notify(3)).
//
// Alive means progress: before the watchdog is fed, each required part must answer from the
// loop in which it does its work. A part that waits on purpose answers while it waits. A part
// that hangs does not, and neither does one that waits for a lock that is never released. No
// timer feeds the watchdog by itself. Parts that others can delay, such as the link to the
// broker, are not asked, so that nobody outside can cause a restart.
package watchdog
