// Package readme runs what README.md tells people to type, with the real programs and
// a real mosquitto, below a folder that stands for the machine's root.
package readme
