package repotest

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
)

// limits are the bounds that docs/protocol.md states: where each lies in the code, its
// value there, and the clause and the words in which the document states it. Times are
// in nanoseconds.
var limits = []struct {
	folder, name string
	value        int64
	clause, says string
}{
	{"pkg/proto", "MaxMessage", 16384, "4.1.1", "at most 16384 bytes"},
	{"pkg/proto", "MaxMessage", 16384, "3.4", "at most 16384 bytes"},
	{"pkg/proto", "MaxMessage", 16384, "14.4", "at most 16384 bytes"},
	{"pkg/setup/frame", "MinSize", 20, "14.4", "at most 20 bytes"},
	{"pkg/setup/frame", "MaxSize", 500, "14.4", "never more than 500"},
	{"pkg/setup/frame", "overhead", 3, "14.4", "three less than the MTU"},
	{"pkg/setup/ble", "idleTime", 10 * second, "14.5.4", "Ten seconds without an operation"},
	{"pkg/setup/ble", "visitTime", 30 * second, "14.5.4", "after 30 seconds"},
	{"pkg/proto", "MaxBody", 8192, "4.1.1", "8192 for a request's `body`"},
	{"pkg/proto", "MaxOffer", 7680, "7.1", "at most 7680 bytes"},
	{"pkg/proto", "MaxMembers", 64, "5.7", "at most 64 members"},
	{"pkg/proto", "MaxGuests", 16, "5.7", "at most 16 guests"},
	{"pkg/proto", "OwnersPlaces", 8, "5.7", "the last 8 places"},
	{"pkg/proto", "MaxPicture", 524288, "9.1", "at most 524288 bytes"},
	{"pkg/proto", "PicturePage", 4096, "9.4", "the 4096 bytes from `o` on"},
	{"pkg/proto", "MaxNetworks", 32, "3.11", "at most 32, the strongest first"},
	{"pkg/proto", "maxSSID", 32, "3.11", "1 to 32 bytes"},
	{"pkg/proto", "maxPassphrase", 63, "3.11", "8 to 63 characters"},
	{"pkg/proto", "maxAuthority", 8192, "3.11", "at most 8192 bytes"},
	{"pkg/proto", "maxCertChain", 4, "3.11", "one to four certificates"},
	{"pkg/proto", "maxESTWord", 128, "3.11", "at most 128 bytes each"},
	{"pkg/auth/pairing", "ProgressEvery", 5 * second, "3.11.2", "at least every 5 seconds"},
	{"pkg/setup/code", "MaxSealed", 2080, "3.12.2", "at most 2080 bytes"},
	{"pkg/setup/code", "maxText", 255, "3.12.3", "at most 255 bytes"},
	{"pkg/setup/code", "maxCertificate", 1024, "3.12.3", "at most 1024 bytes"},
	{"pkg/setup/code", "PartSize", 65, "3.12.4", "pieces of 65 bytes"},
	{"pkg/setup/code", "MaxParts", 32, "3.12.4", "at most 32"},
	{"pkg/auth", "maxInteger", 1<<53 - 1, "1.5", "at most 2^53 − 1"},
	{"pkg/auth", "maxToken", 64, "5.1 step 4", "1 to 64 characters"},
	{"pkg/auth", "maxQueue", 32, "5.1 step 9", "queue (32)"},
	{"pkg/auth", "maxStarts", 120, "5.1 step 15", "allowance of 120"},
	{"pkg/auth", "startEvery", minute, "5.1 step 15", "growing by one a minute"},
	{"pkg/auth", "nonceEvery", 5 * second, "5.3", "at most 5 seconds after"},
	{"pkg/auth", "nonceLife", 2 * minute, "5.3", "for two minutes"},
	{"pkg/auth", "hostilePeriod", hour, "5.4", "one entry an hour at most"},
	{"pkg/auth", "refusalsPerLog", minute, "6.3", "at most one a member and minute"},
	{"pkg/auth", "answerLife", 10 * minute, "5.5", "for ten minutes"},
	{"pkg/auth", "maxAnswers", 32, "5.5", "at most 32 and"},
	{"pkg/auth", "maxAnswerBytes", 64 << 10, "5.5", "64 KiB of answers"},
	{"pkg/auth", "maxFailures", 5, "5.6", "five failures"},
	{"pkg/auth/naming", "MaxBytes", 64, "5.6", "1 to 64 bytes"},
	{"pkg/auth/naming", "maxMarks", 4, "5.6", "more than four on one letter"},
	{"pkg/auth", "maxFormer", 64, "5.7.8", "The newest 64 keys"},
	{"pkg/auth", "maxGrants", 256, "5.7.4", "the newest 256"},
	{"pkg/auth/trustedtime", "clockSlack", 24 * hour, "5.9", "more than 24 hours"},
	{"pkg/auth/trustedtime", "clockHorizon", 30 * 24 * hour, "5.9", "30 days above it"},
	{"pkg/auth/trustedtime", "ownerAbsence", 30 * 24 * hour, "5.9.3", "for 30 days"},
	{"pkg/auth", "patience", 15 * second, "5.10.3", "after 15 seconds"},
	{"pkg/auth", "keepTexts", 90 * 24 * hour, "6.5.2", "more than 90 days old"},
	{"pkg/auth", "maxTrust", 8 << 20, "11.2", "at most 8 MiB"},
	{"pkg/auth", "maxLogs", 64 << 20, "11.2", "at most 64 MiB"},
	{"pkg/proto", "maxEndpoint", 1024, "16.1", "at most 1024 bytes"},
	{"pkg/push", "burst", 6, "16.3", "at most 6 at once"},
	{"pkg/push", "sendEvery", 30 * second, "16.3", "one in 30 seconds"},
	{"pkg/push", "maxQueue", 32, "16.3", "at most 32 waiting"},
	{"pkg/push", "sendTime", 10 * second, "16.3", "each for 10 seconds"},
	{"pkg/push", "lifetime", 10 * minute, "16.3", "for 10 minutes at most"},
	{"pkg/proto", "MaxChain", 6000, "13.2", "at most 6000 bytes together"},
	{"pkg/setup/claim", "maxChain", 4, "13.2", "at most 4 certificates"},
	{"pkg/setup/claim", "maxCertificate", 3072, "13.2", "at most 3072 bytes each"},
	{"pkg/setup/claim", "tryTime", 10 * second, "13.1", "ten seconds at most"},
	{"pkg/setup/claim", "maxAnswer", 64 << 10, "13.3", "at most 64 KiB of base64"},
	{"pkg/setup/claim", "maxSet", 16, "13.3", "16 certificates"},
	{"pkg/setup/claim", "minRetry", 10 * second, "13.3", "within 10 seconds"},
	{"pkg/setup/claim", "maxRetry", 24 * hour, "13.3", "to 24 hours"},
	{"pkg/setup/claim", "ownPause", 24 * hour, "13.3", "once in 24 hours"},
	{"pkg/setup", "changeTime", minute, "15.3.1", "60 seconds"},
	{"pkg/setup", "leaveTime", 2 * second, "15.3", "Two seconds later"},
	{"cmd/camctl", "wifiPatience", 3 * minute, "15.3", "waits for three minutes"},
	{"pkg/auth/schedule", "maxText", 256, "5.8", "at most 256 bytes"},
	{"pkg/auth/schedule", "maxWindows", 16, "5.8", "16 windows"},
	{"pkg/auth/schedule", "maxZone", 64, "5.8.4", "at most 64 bytes"},
	{"pkg/auth/pairing", "FirstPatience", 5 * second, "3.4.4", "within five seconds"},
	{"pkg/auth/pairing", "maxChain", 4, "3.6", "one to four certificates"},
	{"pkg/auth/pairing", "handshakeSize", 48, "3.4", "exactly 48 bytes"},
	{"pkg/auth/pairing", "MaxBroker", 11264, "3.8", "at most 11264 bytes"},
	{"pkg/auth/pairing", "FirstPatience", 5 * second, "3.4.4", "five seconds"},
	{"pkg/auth/accesslog", "MaxEntry", 1024, "6.1", "at most 1024 bytes"},
	{"pkg/auth/accesslog", "maxCheckpoint", 1024, "6.6", "at most 1024 bytes"},
	{"pkg/auth/accesslog", "maxProof", 106, "6.7", "at most 106 hashes"},
	{"pkg/auth/accesslog", "MaxRead", 256, "4.12", "256 entries at most"},
	{"pkg/auth/accesslog", "KeptHashes", 327680, "6.5", "the newest 327680 entries"},
	{"pkg/auth/accesslog", "forgetAtOnce", 256, "6.5", "256 entries at once"},
	{"pkg/auth/accesslog", "MaxTexts", 16 << 20, "6.5.1", "at most 16 MiB"},
	{"pkg/auth/accesslog", "maxWork", 8192, "6.5.3", "the newest 8192 entries"},
	{"pkg/auth/accesslog", "tooMany", 128, "6.5.3", "128 sessions or more"},
	{"pkg/auth/accesslog", "keepShort", 64, "6.5.3", "the newest 64 go"},
	{"pkg/auth/accesslog", "short", 10 * second, "6.5.3", "shorter than 10 seconds"},
	{"pkg/live/sdp", "MaxCandidates", 64, "7.3", "At most 64 candidates"},
	{"pkg/live", "maxAddresses", 128, "7.3", "more than 128 addresses"},
	{"pkg/live", "maxAddresses", 128, "7.5", "more than 128 addresses"},
	{"pkg/live", "maxStreams", 32, "7.5", "more than 32 streams"},
	{"pkg/live/sdp", "minTIAS", 100000, "7.2.4", "values below 100000"},
	{"pkg/live", "reportRate", 100, "7.4.6", "100 RTCP packets a second"},
	{"pkg/live/packets", "KeyframeGap", second / 2, "7.4.4", "at most twice a second"},
	{"pkg/live/udp", "inboundRate", 4000, "7.4.5", "4000 packets a second"},
	{"pkg/live", "connectTimeout", 20 * second, "7.5", "within 20 seconds"},
	{"pkg/live", "silentSeconds", 30, "7.5", "for 30 seconds media"},
	{"pkg/live", "perMember", 2, "7.6", "has at most two"},
	{"pkg/live", "relayStall", 5 * second, "7.5", "nothing for five seconds"},
	{"pkg/live", "formatWait", 3 * second, "7.6", "within 3 seconds"},
	{"pkg/talk", "acceptTime", 20 * second, "8.2", "within 20 seconds"},
	{"pkg/talk", "maxAsks", 3, "8.2", "three questions"},
	{"pkg/talk", "askWithin", 30 * minute, "8.2", "within half an hour"},
	{"pkg/talk", "idleTime", minute, "8.4", "after 60 seconds in which nobody spoke"},
	{"pkg/talk", "blockTime", 10 * minute, "8.4", "for ten minutes"},
	{"pkg/talk", "reach", 30 * second, "8.4", "within half a minute"},
	{"pkg/event", "waitingTime", minute, "9.2", "for 60 seconds"},
	{"pkg/event", "waitingBytes", 4 << 20, "9.2", "at most 4 MiB"},
	{"pkg/event", "sameRing", 3 * second, "9.3", "within 3 seconds"},
	{"pkg/event", "warmTime", 2 * minute, "9.3", "for two minutes"},
	{"pkg/event", "ringBurst", 60, "9.3", "at most 60 rings"},
	{"pkg/event", "maxEvents", 50, "9.4", "the newest 50 rings"},
	{"pkg/event", "maxPictures", 4 << 20, "9.4", "at most 4 MiB"},
	{"pkg/event", "maxFile", 16 << 20, "11.1", "at most 16 MiB"},
	{"pkg/setup", "maxKeep", 1 << 20, "11.1", "at most 1 MiB"},
	{"pkg/proto", "MaxUpdateHours", 128, "5.11", "at most 128 bytes"},
	{"pkg/proto", "MaxUpdateReason", 200, "6.3", "at most 200 bytes"},
	{"pkg/auth", "maxVersion", 64, "6.2", "at most 64 of"},
	{"pkg/auth", "maxSteps", 12, "12.3", "at most 12 at once"},
	{"pkg/update", "patience", 14 * 24 * hour, "12.2", "two weeks from when"},
	{"pkg/update", "patienceSecurity", 2 * 24 * hour, "12.2", "two days if it closes"},
	{"cmd/camd", "lookEvery", minute, "12.2", "at most once a minute"},
	{"pkg/auth", "stepEvery", 6 * hour, "12.3", "one in 6 hours"},
	{"pkg/client/broker", "keepAlive", 30 * second, "1.6.5", "Keep-alive of 30 seconds"},
	{"pkg/client", "answerTimeout", 4 * second, "4.6", "waits four seconds"},
	{"pkg/client", "maxAttempts", 4, "4.6", "sends four times"},
	{"cmd/camd", "adminLine", 4 << 10, "10.2", "at most 4 KiB"},
	{"cmd/camd", "adminPatience", 10 * second, "10.2", "within ten seconds"},
	{"cmd/camd", "adminIdle", 8, "10.1", "eight may be there"},
	{"cmd/camd", "adminEach", 4, "10.1", "four may be under way"},
	{"cmd/camd", "joinPatience", 5 * minute, "10.5", "within five minutes"},
	{"pkg/client", "maxLine", 128 << 10, "10.2", "at most 128 KiB"},
}

// TestProtocolStatesTheLimitsOfTheCode: who changes a bound changes what the document
// says of it.
func TestProtocolStatesTheLimitsOfTheCode(t *testing.T) {
	p := readProtocol(t)
	known := map[string]folder{}
	for _, l := range limits {
		if known[l.folder] == nil {
			known[l.folder] = numbers(t, l.folder)
		}
		if got, ok := known[l.folder].value(l.name); !ok || got != l.value {
			t.Errorf("%s: %s is %d, want %d: change docs/protocol.md %s and this list with it", l.folder, l.name, got, l.value, l.clause)
		}
		if !strings.Contains(strings.Join(strings.Fields(p.clauses[l.clause]), " "), l.says) {
			t.Errorf("docs/protocol.md %s does not say %q, which is what %s holds to", l.clause, l.says, l.folder)
		}
	}
}

// folder holds the constants of a package by name.
type folder map[string]ast.Expr

func numbers(t *testing.T, path string) folder {
	t.Helper()
	f := folder{}
	for _, file := range parseFolder(t, path) {
		ast.Inspect(file, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, s := range d.Specs {
					spec, _ := s.(*ast.ValueSpec)
					for i, v := range spec.Values {
						f[spec.Names[i].Name] = v
					}
				}
			}
			return true
		})
	}
	return f
}

func (f folder) value(name string) (int64, bool) {
	e, ok := f[name]
	if !ok {
		return 0, false
	}
	return f.eval(e)
}

var units = map[string]time.Duration{"Second": time.Second, "Millisecond": time.Millisecond, "Minute": time.Minute, "Hour": time.Hour}

// eval reckons what constants of ours are made of: numbers, other constants of the
// package, units of time, and + - * << between them.
func (f folder) eval(e ast.Expr) (int64, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		n, err := strconv.ParseInt(strings.ReplaceAll(e.Value, "_", ""), 0, 64)
		return n, err == nil
	case *ast.Ident:
		return f.value(e.Name)
	case *ast.ParenExpr:
		return f.eval(e.X)
	case *ast.SelectorExpr:
		unit, ok := units[e.Sel.Name]
		return int64(unit), ok
	case *ast.BinaryExpr:
		x, ok := f.eval(e.X)
		y, ok2 := f.eval(e.Y)
		if !ok || !ok2 {
			return 0, false
		}
		return map[token.Token]int64{token.ADD: x + y, token.SUB: x - y, token.MUL: x * y, token.SHL: x << (uint64(y) & 63)}[e.Op], true
	}
	return 0, false
}
