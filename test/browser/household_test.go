package browser

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/camd-project/camd/test/rig"
)

// start runs camctl as one of the demo's people until it ends or the test does.
func (d *demo) start(who string, args ...string) (wait func() (string, error)) {
	d.t.Helper()
	cmd := exec.Command(d.camctl, append([]string{"--home", filepath.Join(d.Folder, who)}, args...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() (string, error) {
		err := cmd.Wait()
		return errOut.String(), err
	}
}

// atCamera runs camd as someone at the camera does.
func (d *demo) atCamera(args ...string) {
	d.t.Helper()
	out, err := exec.Command(rig.Program(d.t), append(args, "--config", filepath.Join(d.Folder, "camd.toml"))...).CombinedOutput()
	if err != nil {
		d.t.Fatalf("camd %v: %v\n%s", args, err, out)
	}
}

const (
	live     = `document.getElementById('state').textContent === 'Live'`
	watching = `document.getElementById('watching').textContent`
	events   = `document.getElementById('events').innerText`
	alarm    = `document.getElementById('alarm')`
)

// TestPageShowsTheHousehold plays through what the demo proposes.
func TestPageShowsTheHousehold(t *testing.T) {
	b, d := open(t), startDemo(t)
	b.do(chromedp.Navigate(d.Address))
	b.await(live)
	b.await(events + `.includes('Anna let Cara in as guest')`)
	b.await(`/verified up to entry \d+/.test(document.getElementById('verified').textContent)`)

	wait := d.start("cara", "watch")
	b.await(events + `.includes('Cara began to watch and listen')`)
	b.await(watching + `.includes('Cara') && ` + watching + `.includes('Anna')`)
	d.run("revoke", "Cara")
	b.await(events + `.includes('Anna removed Cara')`)
	b.await(watching + ` === 'Anna'`)
	if said, err := wait(); err == nil || !bytes.Contains([]byte(said), []byte("You have been removed")) {
		t.Errorf("Cara's watch ended with %v and said %q", err, said)
	}

	// Ben has not looked since.
	d.runAs("ben", "grant", "--to", filepath.Join(d.Folder, "dan.txt"), "--name", "Dan", "--scopes", "view", "--yes")
	b.await(events + `.includes('Ben let Dan in as guest')`)

	b.do(chromedp.Click(chromedp.ID("privacy")))
	b.await(`document.getElementById('reason').textContent.includes('Privacy mode is on')`)
	b.await(nothingOld + ` && ` + picture + `.srcObject === null`)
	b.await(events + `.includes('Anna switched privacy mode on')`)
	b.await(`document.getElementById('privacy').ariaChecked === 'true'`)
	// Ben has not heard that it was switched on, so he is told before he undoes it.
	if said, err := d.start("ben", "privacy", "off")(); err == nil || !bytes.Contains([]byte(said), []byte("Anna switched privacy mode on")) {
		t.Errorf("Ben's privacy off ended with %v and said %q", err, said)
	}
	d.runAs("ben", "privacy", "off")
	b.await(live)
	b.await(`document.getElementById('privacy').ariaChecked === 'false'`)
	if !eval[bool](b, alarm+`.hidden`) {
		t.Errorf("the page shows an alarm: %s", eval[string](b, alarm+`.textContent`))
	}

	d.atCamera("evict", "--yes")
	b.await(events + `.includes('removed everyone')`)
	b.await(events + `.includes('Epoch 2 of the household began')`)
	b.await(live) // the demo has paired anew
	if said, err := d.start("ben", "status")(); err == nil || !bytes.Contains([]byte(said), []byte("everyone was removed by someone at the camera")) {
		t.Errorf("Ben's status: %v, %q", err, said)
	}
}
