package interop

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rsc.io/qr/coding"

	"github.com/camd-project/camd/pkg/auth/pairing"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/setup/frame"
	"github.com/camd-project/camd/pkg/setup/lens"
	"github.com/camd-project/camd/web"
)

// prelude is before each script. It gives what is compared a form.
const prelude = `import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
globalThis.crypto ??= webcrypto;
const input = JSON.parse(readFileSync(0, 'utf8'));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const bytes = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
const says = async (work) => { try { return (await work()) ?? ''; } catch (error) { return error.code ? error.code + ': ' + error.message : 'Error'; } };
`

// page runs a script beside the modules of the page, as this program has them in it. It gets
// input and leaves output.
func page[T any](t *testing.T, input any, script string) (output T) {
	t.Helper()
	needsNode(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, web.Setup); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/package.json", []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", prelude+script+"\nconsole.log(JSON.stringify(output));")
	var errOut bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, bytes.NewReader(text), &errOut
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &output)
	}
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errOut.Bytes())
	}
	return output
}

// cut has Go's Writer cut messages.
func cut(messages [][]byte, size int) (frames []string) {
	var w frame.Writer
	for _, m := range messages {
		for w.Load(m); !w.Done(); {
			frames = append(frames, hex.EncodeToString(w.Next(size)))
		}
	}
	return frames
}

func TestThePagesFrames(t *testing.T) {
	var messages [][]byte
	var texts []string
	for _, n := range []int{1, 19, 20, 48, 1300, 3000, proto.MaxMessage} {
		m := bytes.Repeat([]byte{byte(n), 0x80, 7}, n)[:n]
		messages, texts = append(messages, m), append(texts, hex.EncodeToString(m))
	}
	for _, size := range []int{frame.MinSize, 182, frame.MaxSize} {
		type both struct{ Cut, Joined []string }
		want := cut(messages, size)
		got := page[both](t, map[string]any{"messages": texts, "size": size, "frames": want}, `import { Reader, Writer } from './setup/frame.js';
			const writer = new Writer(), reader = new Reader();
			const output = {
				cut: input.messages.flatMap((m) => [...writer.frames(bytes(m), () => input.size)].map(hex)),
				joined: input.frames.map((f) => reader.add(bytes(f))).filter(Boolean).map(hex),
			};`)
		if !slices.Equal(got.Cut, want) || !slices.Equal(got.Joined, texts) {
			t.Errorf("frames of %d bytes are others", size)
		}
	}
}

// What Go's Reader refuses the page's does, and nothing else.
func TestThePagesFramesAreRefused(t *testing.T) {
	huge := cut([][]byte{bytes.Repeat([]byte{1}, proto.MaxMessage)}, frame.MaxSize)
	series := [][]string{
		{"c001", "c102"}, {"8001", "4102", "c203"}, {""}, {"c0"}, {"80" + strings.Repeat("00", frame.MaxSize)}, {"c101"}, {"4001"}, {"0001"},
		{"8001", "8102"}, {"8001", "c102"}, {"8001", "4202"}, {"c001", "c001"}, append(slices.Clone(huge[:len(huge)-1]), strings.Repeat("21", 400), "6222"),
	}
	var want []bool
	for _, frames := range series {
		var r frame.Reader
		ok := true
		for _, f := range frames {
			b, err := hex.DecodeString(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Add(b)
			ok = ok && err == nil
		}
		want = append(want, ok)
	}
	got := page[[]bool](t, series, `import { Reader } from './setup/frame.js';
		const output = input.map((frames) => { try { const r = new Reader(); frames.forEach((f) => r.add(bytes(f))); return true; } catch { return false; } });`)
	if !slices.Equal(got, want) {
		t.Errorf("taken: %v, want %v", got, want)
	}
}

func TestThePageReadsLabels(t *testing.T) {
	good := "CAMD:1?d=camdtestdevice222222222222&s=aebagbafaydqqcikbmga2dqpca&k=" + strings.Repeat("A", 42) + "E"
	typed := "aeba-gbaf-aydq-qcik-bmga-2dqp-caab-cdef-ghij-kl"
	texts := []string{good, " " + good + "\n", "CAMD:", "CAMD:2?x", "camd:1?", "https://example.org", good + "&x=1", strings.Replace(good, "&k=", "", 1),
		strings.Replace(good, "d=", "D=", 1), strings.Replace(good, "testdevice", "testdevic1", 1), strings.Replace(good, "s=ae", "s=AE", 1),
		strings.Replace(good, "pca&", "pcb&", 1), strings.Replace(good, "s=ae", "s=\nae", 1), strings.Replace(good, "aebagbafaydqqcikbmga2dqpca", strings.Repeat("a", 26), 1),
		good[:len(good)-1], good[:len(good)-1] + "F", good + "=",
		typed, strings.ToUpper(strings.ReplaceAll(typed, "-", "  ")), "\t" + typed + "\n", "", typed + "a", strings.Replace(typed, "aeba", "ae0a", 1),
		strings.Replace(typed, "aeba", "aeßa", 1), strings.Repeat("a", 38), strings.Replace(typed, "dqp-ca", "dqp-cb", 1)}
	want := make([]string, len(texts))
	for i, text := range texts {
		l, err := pairing.ParseTyped("camdtestdevice222222222222", text)
		if strings.Contains(text, ":") {
			l, err = pairing.ParseLabel(text)
		}
		if want[i] = string(l.Device); err != nil {
			want[i] = "label: " + pairing.Sentence(err)
		}
	}
	got := page[[]string](t, texts, `import { anyLabel } from './setup/label.js';
		const output = await Promise.all(input.map((text) => says(() => anyLabel(text).of('camdtestdevice222222222222').device)));`)
	for i, text := range texts {
		if got[i] != want[i] {
			t.Errorf("%q: %q, want %q", text, got[i], want[i])
		}
	}
}

func TestThePagesSettings(t *testing.T) {
	long := strings.Repeat("x", 300)
	all := []proto.SetupSettings{
		{}, {WiFi: &proto.WiFi{SSID: "Home", Password: "correct horse", Security: proto.SecurityTransition, Hidden: true, OpenOK: true}},
		{WiFi: &proto.WiFi{SSID: proto.SSID(long[:33])}}, {WiFi: &proto.WiFi{SSID: "x", Security: "wep"}}, {WiFi: &proto.WiFi{SSID: "x"}},
		{WiFi: &proto.WiFi{SSID: "x", Security: proto.SecurityWPA2}}, {WiFi: &proto.WiFi{SSID: "x", Password: "short"}}, {WiFi: &proto.WiFi{SSID: "x", Password: "pässword"}},
		{WiFi: &proto.WiFi{SSID: "x", Password: proto.Secret(long[:64])}}, {WiFi: &proto.WiFi{SSID: "x", Password: proto.Secret(strings.Repeat("aF", 32))}},
		{Broker: &proto.SetupBroker{URL: "mqtts://a:1", ViewerURL: "mqtts://b", WebURL: "wss://b/c", ServerName: "c", CA: "d"}, EST: &proto.EST{URL: "https://e", User: "u", Password: "p"}, Chain: [][]byte{{1, 2}}},
		{Broker: &proto.SetupBroker{}}, {Broker: &proto.SetupBroker{URL: "mqtt://a"}}, {Broker: &proto.SetupBroker{URL: "mqtts://"}}, {Broker: &proto.SetupBroker{URL: "mqtts://u@a"}},
		{Broker: &proto.SetupBroker{URL: "mqtts://a", ViewerURL: "b"}}, {Broker: &proto.SetupBroker{URL: "mqtts://a", WebURL: "ws://b"}}, {Broker: &proto.SetupBroker{URL: "mqtts://a", WebURL: "wss://b/#c"}}, {Broker: &proto.SetupBroker{URL: "mqtts://" + long}}, {Broker: &proto.SetupBroker{URL: "mqtts://a", ServerName: long}},
		{EST: &proto.EST{URL: "http://e"}}, {EST: &proto.EST{URL: "https://e", User: long}}, {EST: &proto.EST{URL: "https:e"}},
		{Chain: [][]byte{{1}, {1}, {1}, {1}, {1}}}, {Chain: [][]byte{nil}}, {Chain: [][]byte{make([]byte, 3073)}},
	}
	type result struct {
		Says string
		Wire json.RawMessage
	}
	// The page's form, written from the wire's.
	got := page[[]result](t, all, `import { check, wire } from './setup/settings.js';
		const output = await Promise.all(input.map(async ({ wifi: w, broker: b, chain, est }) => {
			const settings = {
				wifi: w && { ssid: Uint8Array.from(Buffer.from(w.ssid, 'base64url')), password: w.password, security: w.security, hidden: w.hidden, openOk: w.open_ok },
				broker: b && { url: b.url, viewerUrl: b.viewer_url, webUrl: b.web_url, serverName: b.server_name, ca: b.ca },
				chain: chain?.map((c) => Uint8Array.from(Buffer.from(c ?? '', 'base64'))), est,
			};
			return { says: await says(() => check(settings)), wire: wire(settings) ?? {} };
		}));`)
	for i, s := range all {
		want := ""
		if problem, ok := s.Check().(*proto.SetupProblem); ok { //nolint:errorlint // Check wraps nothing
			want = string(problem.Code) + ": " + problem.Error()
		}
		if got[i].Says != want {
			t.Errorf("%d: %q, want %q", i, got[i].Says, want)
		}
		var again proto.SetupSettings
		if err := json.Unmarshal(got[i].Wire, &again); want == "" && (err != nil || !reflect.DeepEqual(again, s)) {
			t.Errorf("%d: %s, %v", i, got[i].Wire, err)
		}
	}
}

// Sentences and others' text read as they do elsewhere.
func TestThePagesWords(t *testing.T) {
	steps := []proto.SetupStep{proto.StepWiFi, proto.StepAddress, proto.StepClock, proto.StepInternet, proto.StepBroker, proto.StepCertificate, proto.StepSaving, "dancing", "constructor"}
	lines := []string{"", "HD Webcam C920", "Änne 安娜 █▀ שלום", "\x1b]0;owned\x07", "\u009b31mred", "a\r\nb\tc\vd\x7f\x00", "\u202eannA\u2066\u200f\u061c",
		"a\u2028b\u2029c\u0085d\u00a0e", "zero\u200bwidth\ufeff", "\U000e0041tag\ufffd", strings.Repeat("a", 1000), strings.Repeat("a", 1001)}
	var want []string
	for _, s := range steps {
		want = append(want, s.Sentence())
	}
	for _, l := range lines {
		want = append(want, foreign.Line(l))
	}
	got := page[[]string](t, map[string]any{"steps": steps, "lines": lines}, `import { line, stepSentence } from './setup/problem.js';
		const output = [...input.steps.map(stepSentence), ...input.lines.map(line)];`)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// docs/protocol.md 1.5, 2.6.
func TestThePageReadsStrictly(t *testing.T) {
	deep := func(n int) string { return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}" }
	taken := []string{`{"a":1,"b":{"a":2},"c":[{"a":3},"a"]}`, `{"a":"\"a\":","b":"{"}`, deep(32), `{"a\\":1,"a":2}`}
	refused := []string{`{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `{"y":[{"x":{"a":1, "b":2, "a" :3}}]}`, deep(33), `null`, `[]`, `1`, `"a"`, `{} {}`, "\ufeff{}", ``}
	got := page[[]bool](t, append(slices.Clone(taken), refused...), `import { json } from './setup/bytes.js';
		const output = input.map((text) => { try { json(new TextEncoder().encode(text)); return true; } catch { return false; } });`)
	for i, ok := range got {
		if ok != (i < len(taken)) {
			t.Errorf("%s: taken %v", append(taken, refused...)[i], ok)
		}
	}
	forms := page[[]bool](t, []string{"AA", "AQ", "AB", "A", "A=", "A+", "AAA", "AAB"}, `import { fromBase64url } from './setup/bytes.js';
		const output = input.map((text) => { try { fromBase64url(text); return true; } catch { return false; } });`)
	if want := []bool{true, true, false, false, false, false, true, false}; !slices.Equal(forms, want) {
		t.Errorf("base64url: %v, want %v", forms, want)
	}
}

// drawn is a QR code as the camera's lens sees it.
func drawn(rows [][]int) *image.Gray {
	const scale, margin = 4, 4
	side := (len(rows) + 2*margin) * scale
	m := image.NewGray(image.Rect(0, 0, side, side))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for y, row := range rows {
		for x, dark := range row {
			for i := range scale * scale * dark {
				m.SetGray((x+margin)*scale+i%scale, (y+margin)*scale+i/scale, color.Gray{})
			}
		}
	}
	return m
}

// TestThePageDrawsCodes holds each module against what another library draws with the same
// mask, and has the camera's own reader read it.
func TestThePageDrawsCodes(t *testing.T) {
	texts := []string{"CAMDC1:", "A", strings.Repeat("0", 122), strings.Repeat("Z2", 60) + "Z"}
	for i := range 40 {
		texts = append(texts, "CAMDC1:"+strings.ToUpper(fmt.Sprintf("%x", bytes.Repeat([]byte{byte(37 * i), byte(i), byte(101 * i)}, 19))[:60+i]))
	}
	got := page[[][][]int](t, texts, `import { modules } from './setup/qr.js';
		const output = input.map(modules);`)
	masks := map[coding.Mask]bool{}
	for i, text := range texts {
		mask := slices.IndexFunc([]coding.Mask{0, 1, 2, 3, 4, 5, 6, 7}, func(m coding.Mask) bool {
			p, err := coding.NewPlan(5, coding.M, m)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Encode(coding.Alpha(text))
			if err != nil {
				t.Fatal(err)
			}
			for y, row := range got[i] {
				for x, dark := range row {
					if c.Black(x, y) != (dark == 1) {
						return false
					}
				}
			}
			return c.Size == len(got[i])
		})
		if mask < 0 {
			t.Errorf("%q is drawn otherwise than by another library", text)
		}
		masks[coding.Mask(mask)] = true
		var r lens.Reader
		read := ""
		for range 8 { // pictures
			if read = r.Read(drawn(got[i])); read != "" {
				break
			}
		}
		if read != text {
			t.Errorf("the lens reads %q, want %q", read, text)
		}
	}
	if len(masks) < 4 {
		t.Errorf("masks %v, of eight", masks)
	}
	refused := page[[]string](t, []string{"a", strings.Repeat("A", 123)}, `import { modules } from './setup/qr.js';
		const output = await Promise.all(input.map((text) => says(() => modules(text))));`)
	if !slices.Equal(refused, []string{"Error", "Error"}) {
		t.Errorf("drawn: %q", refused)
	}
}
