package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	silk = 9 << 3  // wideband SILK, 20 ms, mono, one frame
	celt = 31 << 3 // fullband CELT, likewise
)

// golden is an archive of two clips, written by hand from the package's comment.
const golden = "63616d64636c6970" + "0001" + "0002" + "00000013" + "00000008" +
	"4086829006194fc5eb86ef4dfa1166782baf827c2bbd770289c30a179e59f3a9" +
	"05" + "612f6f6e65" + "0001" + // a/one: 1 packet
	"08" + "622f74776f2d3278" + "0002" + // b/two-2x: 2 packets
	"03" + "480102" + "01" + "f8" + "01" + "48"

// seal makes an archive of any index and packets.
func seal(count, index, packets string) []byte {
	i, p := unhex(index), unhex(packets)
	data := append([]byte(magic), unhex("0001"+count)...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(i)))
	data = binary.BigEndian.AppendUint32(data, uint32(len(p)))
	body := append(i, p...)
	sum := sha256.Sum256(body)
	return append(append(data, sum[:]...), body...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func TestGoldenBytes(t *testing.T) {
	clips := map[string][][]byte{"b/two-2x": {{celt}, {silk}}, "a/one": {{silk, 1, 2}}}
	got, err := Marshal(clips)
	if err != nil || hex.EncodeToString(got) != golden {
		t.Fatalf("Marshal = %x, %v, want %s", got, err, golden)
	}
	a, err := Parse(unhex(golden))
	if err != nil {
		t.Fatal(err)
	}
	if names := a.Names(); !slices.Equal(names, []string{"a/one", "b/two-2x"}) {
		t.Errorf("Names = %q", names)
	}
	for name, want := range clips {
		if got, err := a.Clip(name); err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("Clip(%s) = %x, %v, want %x", name, got, err, want)
		}
	}
	if _, err := a.Clip("a/two"); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "a/two") {
		t.Errorf("a clip that there isn't gives %v", err)
	}
}

// TestPacketLengths walks over the lengths at which their code changes.
func TestPacketLengths(t *testing.T) {
	var clip [][]byte
	for _, n := range []int{1, 251, 252, 253, 254, 255, 256, 511, 512, 1274, 1275} {
		p := bytes.Repeat([]byte{0xa5}, n)
		p[0] = silk
		clip = append(clip, p)
	}
	data, err := Marshal(map[string][][]byte{"x": clip})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Clip("x"); err != nil || !slices.EqualFunc(got, clip, bytes.Equal) {
		t.Errorf("packets changed on their way: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	whole := unhex(golden)
	flip := func(at int) []byte {
		d := slices.Clone(whole)
		d[at] ^= 1
		return d
	}
	for name, tt := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":                    {nil, ErrFormat},
		"another file":               {[]byte("RIFF and so on"), ErrFormat},
		"only the magic":             {whole[:8], ErrLength},
		"half a header":              {whole[:headerSize-1], ErrLength},
		"another version":            {flip(9), ErrVersion},
		"cut off":                    {whole[:len(whole)-1], ErrLength},
		"something behind it":        {append(slices.Clone(whole), 0), ErrLength},
		"index of 4 GiB":             {slices.Replace(slices.Clone(whole), 12, 16, 255, 255, 255, 255), ErrLength},
		"both lengths of 4 GiB":      {slices.Replace(slices.Clone(whole), 12, 20, bytes.Repeat([]byte{255}, 8)...), ErrLength},
		"changed checksum":           {flip(20), ErrChecksum},
		"changed packet":             {flip(len(whole) - 1), ErrChecksum},
		"too long":                   {append(slices.Clone(whole), make([]byte, maxSize)...), ErrTooLong},
		"more clips than bytes":      {seal("ffff", "0161"+"0001", "0148"), ErrIndex},
		"fewer entries than clips":   {seal("0002", "0161"+"0001", "0148"), ErrIndex},
		"more entries than clips":    {seal("0000", "0161"+"0001", "0148"), ErrIndex},
		"name beyond the index":      {seal("0001", "ff61"+"0001", "0148"), ErrIndex},
		"half a count":               {seal("0001", "0161"+"00", "0148"), ErrIndex},
		"no name":                    {seal("0001", "00"+"0001", "0148"), ErrIndex},
		"capital in a name":          {seal("0001", "0141"+"0001", "0148"), ErrIndex},
		"same name twice":            {seal("0002", "0161"+"0001"+"0161"+"0001", "0148"+"0148"), ErrIndex},
		"names out of order":         {seal("0002", "0162"+"0001"+"0161"+"0001", "0148"+"0148"), ErrIndex},
		"no packets":                 {seal("0001", "0161"+"0000", ""), ErrIndex},
		"501 packets":                {seal("0001", "0161"+"01f5", strings.Repeat("0148", 501)), ErrIndex},
		"fewer packets than counted": {seal("0001", "0161"+"0002", "0148"), ErrPacket},
		"more packets than counted":  {seal("0001", "0161"+"0001", "0148"+"0148"), ErrIndex},
		"packet beyond the end":      {seal("0001", "0161"+"0001", "0248"), ErrPacket},
		"long packet beyond the end": {seal("0001", "0161"+"0001", "ffff"+"48"), ErrPacket},
		"half a length":              {seal("0001", "0161"+"0001", "fc"), ErrPacket},
		"empty packet":               {seal("0001", "0161"+"0001", "00"), ErrPacket},
		"stereo":                     {seal("0001", "0161"+"0001", "014c"), ErrPacket},
		"two frames":                 {seal("0001", "0161"+"0001", "0149"), ErrPacket},
		"60 ms of SILK":              {seal("0001", "0161"+"0001", "0158"), ErrPacket},
		"10 ms of hybrid":            {seal("0001", "0161"+"0001", "0160"), ErrPacket},
		"10 ms of CELT":              {seal("0001", "0161"+"0001", "01f0"), ErrPacket},
	} {
		if a, err := Parse(tt.data); !errors.Is(err, tt.want) || a != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	good := [][]byte{{silk}}
	for name, tt := range map[string]struct {
		clips map[string][][]byte
		want  error
	}{
		"bad name":    {map[string][][]byte{"Anna": good}, ErrIndex},
		"long name":   {map[string][][]byte{strings.Repeat("a", 300): good}, ErrIndex},
		"no packets":  {map[string][][]byte{"a": nil}, ErrIndex},
		"too many":    {map[string][][]byte{"a": slices.Repeat(good, 501)}, ErrIndex},
		"packet":      {map[string][][]byte{"a": {{0}}}, ErrPacket},
		"long packet": {map[string][][]byte{"a": {make([]byte, 1276)}}, ErrPacket},
	} {
		if data, err := Marshal(tt.clips); !errors.Is(err, tt.want) || data != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"chime/talk": true, "a": true, "a-b/0/c": true, strings.Repeat("x", 64): true,
		"": false, "/a": false, "a/": false, "a//b": false, "A": false, "é": false, "a b": false, "a.wav": false,
		"..": false, strings.Repeat("x", 65): false, "a\n": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) = %v", name, !want)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "own.clips")
	if err := os.WriteFile(path, unhex(golden), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := Open(path)
	if err != nil || !a.has("a/one") {
		t.Fatalf("Open: %v", err)
	}
	if err := a.Check(); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "phrase/is-speaking") {
		t.Errorf("Check of an archive without phrases: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open without a file: %v", err)
	}
	if err := os.Truncate(path, maxSize+5); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file that is too long: %v", err)
	}
	if a, err := Open(""); err != nil || a.Check() != nil {
		t.Errorf("Open of the default: %v", err)
	}
}

// FuzzParse looks for archives that Parse takes and that aren't written the one way
// that there is.
func FuzzParse(f *testing.F) {
	f.Add(unhex(golden), false)
	f.Add(seal("0001", "0161"+"0001", "fc00"+strings.Repeat("48", 252)), false)
	f.Add(embedded[:4096], true)
	f.Fuzz(func(t *testing.T, data []byte, reseal bool) {
		if reseal && len(data) >= headerSize { // get past the checksum
			sum := sha256.Sum256(data[headerSize:])
			data = append(append(slices.Clone(data[:20]), sum[:]...), data[headerSize:]...)
		}
		a, err := Parse(data)
		if err != nil {
			return
		}
		clips := map[string][][]byte{}
		for _, name := range a.Names() {
			if clips[name], err = a.Clip(name); err != nil {
				t.Fatal(err)
			}
		}
		again, err := Marshal(maps.Clone(clips))
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("written again it is %x, %v, was %x", again, err, data)
		}
	})
}
