package lab

import "testing"

func TestDependency(t *testing.T) {
	for in, want := range map[string]string{
		"Package: m\nDepends: linux-image-6.1.0-56-arm64 (= 6.1.192-2)\n\nPackage: m\nDepends: old (= 1)\n": "linux-image-6.1.0-56-arm64=6.1.192-2",
		"Depends: linux-image-x (= 1), other\n": "linux-image-x=1",
		"Depends: linux-image-x\n":              "",
		"Package: m\n":                          "",
		"":                                      "",
	} {
		got, err := dependency(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("dependency(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}
