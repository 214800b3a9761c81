package auth

import (
	"crypto/ecdsa"
	"path/filepath"
	"testing"
	"time"

	"github.com/camd-project/camd/pkg/auth/envelope"
	"github.com/camd-project/camd/pkg/auth/identity"
	"github.com/camd-project/camd/pkg/auth/tpm/tpmtest"
	"github.com/camd-project/camd/pkg/store/storetest"
)

func openAt(t *testing.T, state string, chip *tpmtest.TPM) *Authority {
	t.Helper()
	a, err := tryOpenWith(t, Config{Abort: func(string) {}, State: state, TPM: chip.Path, Check: checkHere, Household: DefaultHousehold(),
		Clock: func() (time.Time, bool) { return time.Now(), true }, Broker: testBroker})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() }) // a second Close does no harm
	return a
}

// All that the identity signs, it signs in the TPM, and the household goes on with it.
func TestIdentityInATPM(t *testing.T) {
	state, chip := t.TempDir(), tpmtest.New(t)
	if _, err := identity.Init(state, identity.TPM{Path: chip.Path, Use: identity.TPMRequire}); err != nil {
		t.Fatal(err)
	}
	a := openAt(t, state, chip)
	key, ok := a.Identity().Signer().Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatal("no ECDSA key")
	}
	if trio, err := envelope.VerifyTrio(a.keys.trio, key); err != nil || trio.Device != a.Identity().DeviceID() {
		t.Errorf("the trio: %+v, %v", trio, err)
	}
	statement, err := a.Statement()
	if err == nil {
		_, err = envelope.VerifyEpoch([]byte(statement), key)
	}
	if err != nil {
		t.Errorf("the statement: %v", err)
	}
	openWindow(t, a, time.Minute)
	if client, device := pair(t, a, a.Identity().Label(), newKeys(t)); client != nil || device != nil {
		t.Fatal(client, device)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	chip.PowerOff()
	chip.PowerOn()
	again := openAt(t, state, chip)
	if epoch, _ := again.Epoch(); epoch != 1 || !again.Owned() {
		t.Errorf("after a power cut: epoch %d, owned %v", epoch, again.Owned())
	}
	storetest.CheckModes(t, filepath.Join(state, "identity"))
}
