package browser

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camd-project/camd/internal/pki"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/ble"
	"github.com/camd-project/camd/pkg/setup/ble/bluetest"
	"github.com/camd-project/camd/test/chromium"
	"github.com/camd-project/camd/test/hostile"
	"github.com/camd-project/camd/test/rig"
)

// throughBlueZ is a phone's link to camd as a process, by the double of BlueZ.
type throughBlueZ struct {
	bluez *bluetest.BlueZ
	phone *bluetest.Phone
}

func (z *throughBlueZ) connected() { z.phone = z.bluez.Phone("AA") }

func (z *throughBlueZ) read(c ble.Characteristic, offset int) ([]byte, error) {
	return z.phone.Read(c.UUID(), uint16(offset)) //nolint:gosec // a value has 512 bytes at most
}

func (z *throughBlueZ) write(c ble.Characteristic, value []byte) error {
	return z.phone.Write(c.UUID(), value)
}

// sign is what the household's authority does with a request of the camera's.
func sign(t *testing.T, r *rig.Rig, request []byte) string {
	t.Helper()
	folder, err := pki.Open(r.PKI)
	if err != nil {
		t.Fatal(err)
	}
	id, path, err := folder.MakeDevice(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}), true)
	if err != nil || id != r.Device {
		t.Fatal(id, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

// TestACameraOutOfItsBoxIsSetUpFromAPage: camd as it runs on a camera is told its broker by a
// page, which it can't use yet, is given a certificate for its own request, and is online.
func TestACameraOutOfItsBoxIsSetUpFromAPage(t *testing.T) {
	b := openSetup(t)
	z := &throughBlueZ{bluez: bluetest.New(t)}
	z.bluez.Do(func() { z.bluez.MTU = 185 })
	r := rig.NewBare(t, "[capture]\nsource = \"synthetic\"\n[audio]\nsource = \"tone\"\n[setup]\nble = \"hci0\"\n")
	r.Start()
	r.OpenWindow("Anna")
	z.bluez.Advertised()
	newAir(t, b, 185, z)
	click(b, fmt.Sprintf(`{ begin(%q, { settings: async (camera, problem) => {
		const broker = { url: %q, ca: %q };
		if (!problem) return { broker };
		window.said = problem.message;
		const { request } = await camera.request();
		window.request = btoa(String.fromCharCode(...request));
		const der = Uint8Array.from(atob(await new Promise((done) => { window.signed = done; })), (c) => c.charCodeAt(0));
		return { broker, chain: [der] };
	} }) }`, r.Label.Text(), r.URL(), r.CA.PEM()))
	b.Await(`window.signed`)
	request, err := base64.StdEncoding.DecodeString(chromium.Eval[string](b, `request`))
	if err != nil {
		t.Fatal(err)
	}
	chromium.Eval[bool](b, `(signed('`+sign(t, r, request)+`'), true)`)
	o := chromium.Eval[outcome](b, `ended`)
	if o.Camera == nil {
		t.Fatalf("%+v, after %v", o, chromium.Eval[[]string](b, `states`))
	}
	if said := chromium.Eval[string](b, `said`); !strings.Contains(said, "has no certificate that fits this broker") {
		t.Errorf("without a certificate the page says %q", said)
	}
	if c := o.Camera; c.Device != string(r.Device) || c.Member != "Anna" || c.Owned || c.Broker.URL != r.URL() {
		t.Errorf("the card: %+v", c)
	}
	r.Online()
}

// TestARealCameraReadsAPagesCode: what the page draws is before camd's lens, and its answer
// comes through the broker; the page believes it, and nothing else.
func TestARealCameraReadsAPagesCode(t *testing.T) {
	b := openSetup(t)
	dir := t.TempDir()
	var broker *hostile.Broker
	r := rig.NewWith(t, fmt.Sprintf("[capture]\nsource = \"pictures\"\nfile = %q\nwidth = 640\nheight = 480\nrate = 10\n[audio]\nsource = \"tone\"\n", dir),
		func(ca *pki.CA, _ string) (rig.Broker, error) {
			broker = hostile.Start(t, ca)
			return broker, nil
		})
	r.Start()
	r.Online()
	count := chromium.Eval[int](b, `(async () => {
		window.label = setup.codeLabel('`+r.Label.TypedText()+`', '`+string(r.Device)+`');
		window.code = await setup.makeCode(label, keys);
		return code.parts.length;
	})()`)
	for i := range count {
		chromium.Eval[bool](b, fmt.Sprintf(`(setup.drawPart(document.getElementById('code'), code.parts[%d]), true)`, i))
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%02d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, seen(b, "code")); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r.OpenWindow("Anna")
	topic := proto.TopicOut(r.Device, proto.ClientID(chromium.Eval[string](b, `keys.name`)))
	m := broker.Await("the camera's answer", func(m hostile.Message) bool { return m.Topic == topic })
	o := chromium.Eval[outcome](b, fmt.Sprintf(`setup.readAnswer(%q, label, keys, code.name).then((camera) => ({ camera }))`, m.Payload))
	if c := o.Camera; c == nil || c.Device != string(r.Device) || c.Member != "Anna" || c.Role != string(proto.RoleOwner) {
		t.Errorf("the page makes %+v of the answer", o)
	}
	if chromium.Eval[bool](b, fmt.Sprintf(`setup.readAnswer(%q, label, keys, code.name.slice(1)).then((camera) => Boolean(camera))`, m.Payload)) {
		t.Error("the page takes the answer to another code")
	}
	b.Quiet()
}
