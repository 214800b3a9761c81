// Package attack proves the security controls themselves. Each patch in mutants
// takes one control out; the test that its head names must then fail by its own
// assertion, and pass without the patch. The patch is laid over the sources by the
// go command's -overlay, so nothing in the product switches a control off.
// It holds tests only.
package attack
