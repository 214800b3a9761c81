package home

import (
	"encoding/base64"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/camd-project/camd/pkg/proto"
)

const (
	wordCount = 6
	wordBits  = 11 // of the list of 2048
)

// Words returns the words of a key, which people compare by reading them aloud: the first
// 66 of its 256 bits, as six words of the English list of BIP 39. They are empty if id is
// not valid. docs/protocol.md 2.9.
func Words(id proto.ClientID) string {
	thumbprint, err := base64.RawURLEncoding.DecodeString(string(id))
	if err != nil || !id.Valid() {
		return ""
	}
	words := make([]string, wordCount)
	for i := range words {
		index := 0
		for bit := i * wordBits; bit < (i+1)*wordBits; bit++ {
			index = index<<1 | int(thumbprint[bit/8]>>(7-bit%8)&1)
		}
		words[i] = wordlists.English[index]
	}
	return strings.Join(words, " ")
}
