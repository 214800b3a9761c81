// Package home is what a client keeps on its computer: its keys, a record of each
// camera that it has paired with, and what it knows of each camera's household. It
// also reads and writes what people pass on: keys as text, the words of a key, and
// camera cards.
//
// Everything lies in one folder that only its user can read. A file that is damaged,
// or that a newer version wrote, is neither used nor changed. An error that a person
// sees is a Problem.
package home
