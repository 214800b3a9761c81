package alsa

import "testing"

func TestParseName(t *testing.T) {
	for name, ok := range map[string]bool{
		"hw:0,0": true, "hw:12,3": true, "": false, "hw:0": false, "hw:0,0x": false,
		"hw:-1,0": false, "plughw:0,0": false, "hw:01,0": false, "hw:0,0,0": false,
	} {
		if c, d, err := ParseName(name); (err == nil) != ok {
			t.Errorf("ParseName(%q) = %d, %d, %v", name, c, d, err)
		}
	}
}
