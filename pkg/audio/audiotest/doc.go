// Package audiotest holds what tests of sound share: a microphone and a speaker
// with faults on demand, the contracts that every one of them keeps, and a measure of how pure a
// tone is. It owns no device and starts no goroutine.
package audiotest
