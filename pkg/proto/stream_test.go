package proto

import (
	"encoding/json"
	"testing"
)

func TestStreamStateSaysWhatIsSentAndWhy(t *testing.T) {
	const left = " The connection is too slow for all of its pictures, so the camera leaves some out."
	for text, want := range map[string]string{
		`{"stream":"high","why":"path"}`:                  "The camera sends the full stream, which the connection carries.",
		`{"stream":"low","why":"path"}`:                   "The camera sends the smaller stream, because the connection is too slow for the full one.",
		`{"stream":"low","why":"path","skips":true}`:      "The camera sends the smaller stream, because the connection is too slow for the full one." + left,
		`{"stream":"high","why":"asked"}`:                 "The camera sends the full stream, as was asked.",
		`{"stream":"low","why":"asked"}`:                  "The camera sends the smaller stream, as was asked.",
		`{"stream":"high","why":"path","skips":true}`:     "The camera sends the full stream." + left,
		`{"stream":"high","why":"no_other"}`:              "The camera sends its only stream.",
		`{"stream":"high","why":"no_other","skips":true}`: "The camera sends its only stream." + left,
	} {
		var s StreamState
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		if got := s.Sentence(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if again, err := json.Marshal(s); err != nil || string(again) != text {
			t.Errorf("%s is written as %s, %v", text, again, err)
		}
	}
}
