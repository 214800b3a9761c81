package rauc

// Content is the parser of signatures.
var Content = content
