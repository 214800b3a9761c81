// Package system tests camd as a process, from the outside: what an owner, a
// stranger and an operator see of it. It holds tests only.
package system
