// Package updatetest holds a machine with two slots that stands in for RAUC and a boot loader
// with counters, and the contract that both it and the real ones keep.
package updatetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/camd-project/camd/pkg/update"
)

// The machine's slots, by the names that RAUC gives them.
const (
	SlotA = "rootfs.0"
	SlotB = "rootfs.1"
)

// tries is how often a slot is started without being marked as good.
const tries = 3

// Machine has two slots and a boot loader that counts, as U-Boot's does with RAUC's marks.
type Machine struct {
	Compatible string
	// Effect is called before and after everything that the machine does to itself. If it
	// fails, power went: nothing more happens until Boot.
	Effect func() error
	// Clock is whether certificates are valid now; nil: they are.
	Clock func() bool

	mu     sync.Mutex
	stuck  string
	images map[string]string // version in each slot; empty: half written
	order  []string
	left   map[string]int
	booted string
	boots  int
}

// NewMachine runs a version in slot A; slot B is empty.
func NewMachine(compatible, version string) *Machine {
	m := &Machine{Compatible: compatible, images: map[string]string{SlotA: version}, order: []string{SlotA, SlotB}, left: map[string]int{SlotA: tries, SlotB: tries}}
	m.Boot()
	return m
}

// Boot starts the machine: the first slot of the order that has tries left. It returns the
// version that runs; empty if that slot holds none, which is a dead camera.
func (m *Machine) Boot() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boots++
	if m.stuck != "" {
		m.booted = m.stuck
		return m.images[m.booted]
	}
	for range 2 {
		for _, s := range m.order {
			if m.left[s] > 0 {
				m.left[s]--
				m.booted = s
				return m.images[s]
			}
		}
		m.left[SlotA], m.left[SlotB] = tries, tries // what a boot script does rather than nothing
	}
	return ""
}

// Stick has a slot started whatever the marks say; empty: no more.
func (m *Machine) Stick(slot string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stuck = slot
}

// ID returns the kernel's number of this start.
func (m *Machine) ID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint("boot-", m.boots)
}

// Booted returns the slot that runs, and its version.
func (m *Machine) Booted() (slot, version string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.booted, m.images[m.booted]
}

// Left returns how often a slot may still be started without a mark.
func (m *Machine) Left(slot string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left[slot]
}

func (m *Machine) effect() error {
	if m.Effect == nil {
		return nil
	}
	return m.Effect()
}

// do carries out one effect, which power may cut before and after.
func (m *Machine) do(how func()) error {
	if err := m.effect(); err != nil {
		return err
	}
	m.mu.Lock()
	how()
	m.mu.Unlock()
	return m.effect()
}

// Status is update.Slots'.
func (m *Machine) Status(context.Context) (update.SlotStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := update.SlotStatus{Compatible: m.Compatible, Booted: m.booted, Other: other(m.booted)}
	if i := slices.IndexFunc(m.order, func(s string) bool { return m.left[s] > 0 }); i >= 0 {
		s.Primary = m.order[i]
	}
	return s, nil
}

func other(slot string) string {
	if slot == SlotA {
		return SlotB
	}
	return SlotA
}

// File is what a bundle holds that the machine understands.
type File struct {
	Compatible, Version, Manifest string
	Broken                        bool // signed by nobody
	Torn                          bool // fails while it is written
	Filler                        string
}

// Bytes returns the bundle.
func (f File) Bytes() []byte {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return text
}

// Inspect is update.Bundles'.
func (m *Machine) Inspect(_ context.Context, path string) (update.Bundle, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return update.Bundle{}, fmt.Errorf("%w: it is not there", update.ErrRefused)
	}
	var f File
	if json.Unmarshal(text, &f) != nil || f.Broken {
		return update.Bundle{}, fmt.Errorf("%w: its signature is wrong", update.ErrRefused)
	}
	if m.Clock != nil && !m.Clock() {
		return update.Bundle{}, fmt.Errorf("%w: certificate is not yet valid", update.ErrRefused)
	}
	return update.Bundle{Path: path, Compatible: f.Compatible, Version: f.Version, Manifest: f.Manifest}, nil
}

// Install is update.Slots'. As RAUC does, it takes the other slot out of the order before
// it writes, and puts it first when it is whole.
func (m *Machine) Install(ctx context.Context, b update.Bundle, progress func(int)) error {
	found, err := m.Inspect(ctx, b.Path)
	if err != nil {
		return err
	}
	if found.Compatible != m.Compatible {
		return fmt.Errorf("%w: it is for %s", update.ErrRefused, found.Compatible)
	}
	progress(20)
	slot := other(m.booted)
	if err := m.do(func() {
		m.images[slot], m.left[slot] = "", 0
		m.order = slices.DeleteFunc(m.order, func(s string) bool { return s == slot })
	}); err != nil {
		return err
	}
	progress(60)
	var f File
	if text, err := os.ReadFile(b.Path); err != nil || json.Unmarshal(text, &f) != nil || f.Torn {
		return fmt.Errorf("%w: it could not be written", update.ErrRefused)
	}
	if err := m.do(func() {
		m.images[slot], m.left[slot] = found.Version, tries
		m.order = []string{slot, other(slot)}
	}); err != nil {
		return err
	}
	progress(100)
	return nil
}

// Mark is update.Slots'.
func (m *Machine) Mark(_ context.Context, mark update.Mark, slot string) error {
	if slot != SlotA && slot != SlotB {
		return fmt.Errorf("%w: there is no slot %q", update.ErrRefused, slot)
	}
	return m.do(func() {
		switch mark {
		case update.MarkGood:
			m.left[slot] = tries
		case update.MarkBad:
			m.left[slot] = 0
			m.order = slices.DeleteFunc(m.order, func(s string) bool { return s == slot })
		case update.MarkActive:
			m.left[slot] = tries
			m.order = append([]string{slot}, slices.DeleteFunc(m.order, func(s string) bool { return s == slot })...)
		}
	})
}
