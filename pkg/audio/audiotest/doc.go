// Package audiotest holds what tests of sound share: a microphone with faults on
// demand, the contract that every microphone keeps, and a measure of how pure a
// tone is. It owns no device and starts no goroutine.
package audiotest
