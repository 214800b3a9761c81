package envelope

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const refusedFile = "testdata/refused.json"

// refused is the shape of testdata/refused.json, docs/protocol.md 4.7: one request that
// opens, and others that say the same in a form that is not allowed.
type refused struct {
	Good    string        `json:"good"`
	Refused []refusedForm `json:"refused"`
}

type refusedForm struct {
	Why string `json:"why"`
	JWE string `json:"jwe"`
}

func TestRefusedVectors(t *testing.T) {
	p := newParties(t)
	want := makeRefused(t, p)
	if *update {
		writeJSON(t, refusedFile, want)
	}
	var got refused
	readJSON(t, refusedFile, &got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s holds\n%s\nwant\n%s", refusedFile, marshal(t, got), marshal(t, want))
	}
	if _, err := OpenRequest([]byte(got.Good), p.hhEnc, p.lookup); err != nil {
		t.Errorf("the good one: %v", err)
	}
	for _, v := range got.Refused {
		if r, err := OpenRequest([]byte(v.JWE), p.hhEnc, p.lookup); !errors.Is(err, ErrGarbled) {
			t.Errorf("%s: %+v, %v, want ErrGarbled", v.Why, r, err)
		}
	}
}

// makeRefused comes out the same each time: the ephemeral key and the iv are fixed.
func makeRefused(t *testing.T, p parties) refused {
	t.Helper()
	jws := makeVector(t, TypeRequest, string(p.client), p.request(), p.clientSig).JWS
	sealed := func(jws string) string {
		return rawSeal(t, goodSealHeader, "A256GCM", []byte(jws), p.hhEnc.PublicKey())
	}
	v := refused{Good: sealed(jws)}
	add := func(why, jwe string) { v.Refused = append(v.Refused, refusedForm{why, jwe}) }
	part := strings.Split(v.Good, ".")
	bytes := func(s string) []byte {
		b, err := decodeBase64(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	iv, text, tag := bytes(part[2]), bytes(part[3]), bytes(part[4])
	join := func(iv, text, tag []byte) string {
		return part[0] + ".." + b64(iv) + "." + b64(text) + "." + b64(tag)
	}
	// Joined, ciphertext and tag are the same bytes as before.
	moved := func(n int) string {
		all := append(append([]byte{}, text...), tag...)
		return join(iv, all[:len(all)-n], all[len(all)-n:])
	}
	add("tag of 17 bytes: one of the ciphertext stands in it", moved(17))
	add("tag of 32 bytes: 16 of the ciphertext stand in it", moved(32))
	add("tag of all bytes, no ciphertext", moved(len(text)+len(tag)))
	add("tag of 15 bytes: its first stands in the ciphertext", moved(15))
	add("tag of 12 bytes, which GCM would allow", join(iv, text, tag[:12]))
	add("no tag: it stands in the ciphertext", moved(0))
	add("iv of 16 bytes", join(append(append([]byte{}, iv...), 0, 0, 0, 0), text, tag))
	add("iv of 11 bytes", join(iv[:11], text, tag))
	add("no iv", join(nil, text, tag))

	cut := strings.LastIndex(jws, ".") + 1
	signature := bytes(jws[cut:])
	add("signature of 65 bytes", sealed(jws[:cut]+b64(append(append([]byte{}, signature...), 0))))
	add("signature of 63 bytes", sealed(jws[:cut]+b64(signature[:63])))

	header := string(bytes(part[0]))
	x := strings.Index(header, `"x":"`) + len(`"x":"`)
	coordinate := bytes(header[x : x+43])
	epk := func(c []byte) string { return b64([]byte(header[:x]+b64(c)+header[x+43:])) + v.Good[len(part[0]):] }
	add("epk: x of 33 bytes, the first zero", epk(append([]byte{0}, coordinate...)))
	add("epk: x of 31 bytes", epk(coordinate[:31]))
	return v
}
