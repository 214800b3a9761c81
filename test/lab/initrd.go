package lab

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/camd-project/camd/test/lab/agent"
)

// modules are a machine's own, and those that it is to have: a name and parameters each.
func (m Machine) modules() []string {
	names := []string{"virtio_pci", "virtio_net", "virtio_console"}
	if len(m.Disks) > 0 {
		names = append(names, diskModules...)
	}
	return append(names, m.Modules...)
}

// writeInitrd writes an initramfs with files, the first process, and modules with all that
// they need.
func writeInitrd(path string, k *Kernel, init string, files Archive, modules []string) error {
	a := Archive{}
	maps.Copy(a, files)
	for name := range files {
		a.folders(filepath.Dir(name))
	}
	for _, d := range []string{"dev", "proc", "sys", "run", "tmp", "etc"} {
		a.Folder(d)
	}
	program, err := os.ReadFile(init)
	if err != nil {
		return err
	}
	a.Add("init", 0o755, program)
	if err := a.addModules(k, modules); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := a.Write(f); err != nil {
		f.Close() //nolint:errcheck // the first error counts
		return err
	}
	return f.Close()
}

// addModules adds modules, and the list that the guest's first process loads them by.
func (a Archive) addModules(k *Kernel, modules []string) error {
	parameters := map[string]string{}
	var names []string
	for _, line := range modules {
		name, p, _ := strings.Cut(line, " ")
		names = append(names, name)
		parameters[moduleName(name)] = p
	}
	paths, err := k.Order(names...)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		base := filepath.Base(path)
		a.Add("lib/modules/"+base, 0o644, data)
		fmt.Fprintf(&list, "/lib/modules/%s %s\n", base, parameters[moduleName(strings.TrimSuffix(base, ".ko"))])
	}
	a.Add(agent.ModuleList, 0o644, list.Bytes())
	return nil
}
