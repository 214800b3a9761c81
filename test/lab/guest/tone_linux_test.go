package main

import (
	"testing"
	"unsafe"
)

func TestHWParamsHasTheKernelsSize(t *testing.T) {
	want := uintptr(608)
	if unsafe.Sizeof(uintptr(0)) == 4 {
		want = 604
	}
	if got := unsafe.Sizeof(hwParams{}); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}
