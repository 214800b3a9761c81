package studio

import (
	"slices"
	"strings"
	"testing"

	"github.com/camd-project/camd/pkg/audio/prompt"
)

func TestTexts(t *testing.T) {
	texts, err := Texts(nil)
	if err != nil {
		t.Fatal(err)
	}
	names := (&Espeak{texts: texts}).Names()
	if err := complete(names); err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "name/") && !slices.Contains(prompt.Required(), name) {
			t.Errorf("nobody says %s", name)
		}
	}
	if got := texts["name/jorg"]; got != (Text{"Jörg", "de"}) {
		t.Errorf("name/jorg is %+v", got)
	}
}

func TestOwnNames(t *testing.T) {
	texts, err := Texts(strings.NewReader("# ours\n\nŽofie cs\n  Bo  \n"))
	if err != nil {
		t.Fatal(err)
	}
	if texts["name/zofie"] != (Text{"Žofie", "cs"}) || texts["name/bo"] != (Text{"Bo", ""}) || texts["name/anna"] != (Text{}) {
		t.Errorf("texts %v", texts)
	}
	for _, wrong := range []string{"Ольга", "Anna Maria de", "R2", "Jörg\nJorg", "-"} {
		if _, err := Texts(strings.NewReader(wrong)); err == nil {
			t.Errorf("the list %q was taken", wrong)
		}
	}
}
