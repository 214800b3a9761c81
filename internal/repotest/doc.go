// Package repotest proves rules of the repository itself, so that they hold
// without anyone watching: which package may import which, that every package
// says what it owns, that camd listens on nothing, that files stay readable, and that
// what documents say of the code (clauses, files, words, shapes) is true of it.
// It holds tests only.
package repotest
