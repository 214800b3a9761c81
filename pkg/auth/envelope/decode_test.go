package envelope

import (
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	type target struct {
		Name string `json:"name"`
		List []any  `json:"list"`
	}
	for text, ok := range map[string]bool{
		`{"name":"a","list":[{"x":1},{"x":2}]}`:       true, // the same name in two objects
		`{"name":"a","more":{"name":"b"}}`:            true,
		`{"name":"name","list":["name","name"]}`:      true, // values are no names
		`{"list":[1e999]}`:                            false,
		`{"name":"a","name":"b"}`:                     false,
		`{"name":"a","NAME":"b"}`:                     false,
		`{"list":[{"x":1,"x":2}]}`:                    false,
		`{"other":{"x":{"y":1,"Y":2}}}`:               false,
		`{"other":{"\u006b":1,"` + "\u212a" + `":2}}`: false, // the Kelvin sign folds to k
		`{"name":1}`:                    false,
		`{"name":"a"} {}`:               false,
		`{"name":"a"`:                   false,
		`}`:                             false,
		``:                              false,
		strings.Repeat(`[`, maxDepth+1): false,
	} {
		var v target
		if err := Decode([]byte(text), &v); (err == nil) != ok {
			t.Errorf("Decode(%.60q) = %v, want ok %v", text, err, ok)
		}
	}
	var v target
	if err := Decode([]byte(`{"NAME":"a"}`), &v); err != nil || v.Name != "" {
		t.Errorf("a name of another case was taken: %+v, %v", v, err)
	}
}
