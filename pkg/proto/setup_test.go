package proto

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSSIDOnTheWire(t *testing.T) {
	for name, text := range map[string]string{"Anna's": `"QW5uYSdz"`, "\xff\x00": `"_wA"`, strings.Repeat("a", 32): `"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE"`} {
		got, err := json.Marshal(SSID(name))
		if err != nil || string(got) != text {
			t.Errorf("%q is written as %s, %v; want %s", name, got, err, text)
		}
		var back SSID
		if err := json.Unmarshal([]byte(text), &back); err != nil || string(back) != name {
			t.Errorf("%s is read as %q, %v", text, back, err)
		}
	}
	for _, text := range []string{`""`, `"QW5uYSd6="`, `"QW5u\nYSdz"`, `"_wB"`, `"` + strings.Repeat("YWFh", 11) + `"`, `7`} {
		var s SSID
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s is read as %q", text, s)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := SetupSettings{WiFi: &WiFi{SSID: "a", Password: "correct horse"}, EST: &EST{Password: "battery staple"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "wifi", *s.WiFi, "est", *s.EST, "password", s.WiFi.Password)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", *s.WiFi, *s.EST, *s.WiFi), log.String()} {
		if strings.Contains(text, "horse") || strings.Contains(text, "staple") {
			t.Error(text)
		}
	}
}

func TestSetupSettingsThatCannotBeMeant(t *testing.T) {
	wifi := func(w WiFi) SetupSettings { return SetupSettings{WiFi: &w} }
	broker := func(b SetupBroker) SetupSettings { return SetupSettings{Broker: &b} }
	est := func(e EST) SetupSettings { return SetupSettings{EST: &e} }
	key := Secret(strings.Repeat("0aF9", 16))
	for name, c := range map[string]struct {
		s    SetupSettings
		code Code
	}{
		"nothing":            {SetupSettings{}, CodeOK},
		"password":           {wifi(WiFi{SSID: "a", Password: "12345678"}), CodeOK},
		"longest password":   {wifi(WiFi{SSID: "a", Password: Secret(strings.Repeat("~", 63))}), CodeOK},
		"key":                {wifi(WiFi{SSID: "a", Password: key}), CodeOK},
		"open":               {wifi(WiFi{SSID: "a", Security: SecurityOpen}), CodeOK},
		"not known if open":  {wifi(WiFi{SSID: "a"}), CodeOK},
		"unknown kind":       {wifi(WiFi{SSID: "a", Password: "12345678", Security: "wpa9"}), CodeBadRequest},
		"no name":            {wifi(WiFi{Password: "12345678"}), CodeBadRequest},
		"long name":          {wifi(WiFi{SSID: SSID(strings.Repeat("a", 33))}), CodeBadRequest},
		"short password":     {wifi(WiFi{SSID: "a", Password: "1234567"}), CodeWiFiPassword},
		"no password":        {wifi(WiFi{SSID: "a", Security: SecurityWPA2}), CodeWiFiPassword},
		"long password":      {wifi(WiFi{SSID: "a", Password: key[1:] + "zz"}), CodeWiFiPassword},
		"no key":             {wifi(WiFi{SSID: "a", Password: key[1:] + "z"}), CodeWiFiPassword},
		"control in it":      {wifi(WiFi{SSID: "a", Password: "1234567\n"}), CodeWiFiPassword},
		"umlaut in it":       {wifi(WiFi{SSID: "a", Password: "123456ü8"}), CodeWiFiPassword},
		"broker":             {broker(SetupBroker{URL: "mqtts://b", ViewerURL: "mqtts://b:8884", ServerName: "home"}), CodeOK},
		"no broker":          {broker(SetupBroker{}), CodeBadRequest},
		"only viewers":       {broker(SetupBroker{ViewerURL: "mqtts://b"}), CodeBadRequest},
		"in the clear":       {broker(SetupBroker{URL: "mqtt://b"}), CodeBadRequest},
		"with a user":        {broker(SetupBroker{URL: "mqtts://u:p@b"}), CodeBadRequest},
		"browsers":           {broker(SetupBroker{URL: "mqtts://b", WebURL: "wss://b/mqtt"}), CodeOK},
		"browsers, fragment": {broker(SetupBroker{URL: "mqtts://b", WebURL: "wss://b/#x"}), CodeBadRequest},
		"browsers in clear":  {broker(SetupBroker{URL: "mqtts://b", WebURL: "ws://b"}), CodeBadRequest},
		"viewers, no host":   {broker(SetupBroker{URL: "mqtts://b", ViewerURL: "mqtts://"}), CodeBadRequest},
		"long address":       {broker(SetupBroker{URL: "mqtts://" + strings.Repeat("b", 256)}), CodeBadRequest},
		"large authority":    {broker(SetupBroker{URL: "mqtts://b", CA: strings.Repeat("b", 8193)}), CodeBadRequest},
		"EST":                {est(EST{URL: "https://e/.well-known/est", User: "u", Password: "p"}), CodeOK},
		"EST in the clear":   {est(EST{URL: "http://e"}), CodeBadRequest},
		"EST, long password": {est(EST{URL: "https://e", Password: Secret(strings.Repeat("p", 129))}), CodeBadRequest},
		"chain":              {SetupSettings{Chain: [][]byte{{1}}}, CodeOK},
		"long chain":         {SetupSettings{Chain: [][]byte{{1}, {1}, {1}, {1}, {1}}}, CodeBadRequest},
		"empty certificate":  {SetupSettings{Chain: [][]byte{{}}}, CodeBadRequest},
		"large certificate":  {SetupSettings{Chain: [][]byte{make([]byte, maxCertificate+1)}}, CodeBadRequest},
	} {
		err := c.s.Check()
		var p *SetupProblem
		if errors.As(err, &p) && p.Code != c.code || (err == nil) != (c.code == CodeOK) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		if err != nil && !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s: no sentence: %v", name, err)
		}
	}
}

func TestStepsHaveSentences(t *testing.T) {
	for _, s := range []SetupStep{StepWiFi, StepAddress, StepClock, StepInternet, StepBroker, StepCertificate, StepSaving} {
		if stepSentences[s] == "" {
			t.Errorf("%s has no sentence", s)
		}
	}
	if got := SetupStep("later").Sentence(); got != "The camera is working on it: later." {
		t.Error(got)
	}
}
