package lab

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// moduleName is how the kernel calls a module, whatever its file is called.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// Order lists the paths of the named modules and of all that they need, each
// after what it needs itself.
func (k *Kernel) Order(names ...string) ([]string, error) {
	var order []string
	for _, name := range names {
		if err := k.need(moduleName(name), &order, 0); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func (k *Kernel) need(name string, order *[]string, depth int) error {
	path, ok := k.Modules[name]
	if !ok {
		return fmt.Errorf("this kernel has no module %s", name)
	}
	if slices.Contains(*order, path) {
		return nil
	}
	if depth > 20 {
		return fmt.Errorf("module %s needs itself", name)
	}
	depends, err := dependsOf(path)
	if err != nil {
		return err
	}
	for _, d := range depends {
		if err := k.need(d, order, depth+1); err != nil {
			return fmt.Errorf("for %s: %w", name, err)
		}
	}
	*order = append(*order, path)
	return nil
}

// dependsOf reads what modpost noted in the module itself, so that neither depmod
// nor its files are needed. Names there have underscores.
func dependsOf(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("module %s has no .modinfo", path)
	}
	info, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("read .modinfo of %s: %w", path, err)
	}
	for _, entry := range bytes.Split(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(entry, []byte("depends=")); ok && len(list) > 0 {
			var names []string
			for _, n := range strings.Split(string(list), ",") {
				names = append(names, moduleName(n))
			}
			return names, nil
		}
	}
	return nil, nil
}
