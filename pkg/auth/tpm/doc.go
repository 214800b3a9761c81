// Package tpm keeps a P-256 signing key in a TPM 2.0. The key is made in the TPM and
// never leaves it: what is stored is a file that only this TPM can open, in the form of
// TSS2 key files, whose parent is the primary key of the storage hierarchy by the TCG's
// template for ECC P-256. openssl with a provider for TPMs signs with the same file.
//
// Nothing is kept in the TPM: for each signature the key is loaded and taken out again.
// So a TPM that was reset, or one that other programs use too, makes no difference, and a
// power cut leaves nothing behind. Neither key has an authorisation value that could be
// guessed, so the TPM's lockout does not concern them.
//
// It is the only package that uses go-tpm.
package tpm
