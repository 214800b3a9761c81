// Package repotest proves rules of the repository itself, so that they hold
// without anyone watching: which package may import which, that every package
// says what it owns, that camd listens on nothing, and that files stay readable.
// It holds tests only.
package repotest
