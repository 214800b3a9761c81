// Package household runs a household's own server, as deploy/household installs it: Debian's
// mosquitto, coturn and Caddy with the files of camops household, at their own ports. It has
// tests only. They run in a network and a mount namespace of their own, as root, so that nothing
// of the machine is reached or changed.
package household
