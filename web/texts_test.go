package web_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39/wordlists"

	"github.com/camd-project/camd/pkg/client"
	"github.com/camd-project/camd/pkg/proto"
)

var write = flag.Bool("write", false, "write the page's generated files anew instead of comparing them")

// TestGeneratedTexts compares what the page takes from Go: sentences and words.
//
//	go test ./web -run TestGeneratedTexts -write
func TestGeneratedTexts(t *testing.T) {
	codes, ends := map[string]string{}, map[string]string{}
	talkEnds := map[string]string{}
	eachConst(t, "../pkg/proto", func(name, typ, value string) {
		switch {
		case typ == "Code":
			codes[value] = proto.Code(value).Sentence()
		case typ == "" && strings.HasPrefix(name, "End"):
			ends[value] = client.EndSentence(value)
			talkEnds[value] = client.TalkEndSentence(value)
		}
	})
	if codes["privacy"] == "" || ends[proto.EndICE] == "" {
		t.Fatalf("pkg/proto has %d codes and %d ends", len(codes), len(ends))
	}
	generated(t, "sentences.js", "codes", codes, "ends", ends, "talkEnds", talkEnds)
	generated(t, "wordlist.js", "wordlist", wordlists.English)
}

// generated compares a file of the page with exports, which are names and values.
func generated(t *testing.T, file string, exports ...any) {
	t.Helper()
	want := bytes.NewBufferString("// Made from Go by TestGeneratedTexts: see web/texts_test.go.\n")
	for i := 0; i < len(exports); i += 2 {
		text, err := json.MarshalIndent(exports[i+1], "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(want, "export const %s = %s;\n", exports[i], text)
	}
	path := filepath.Join("src", "core", file)
	if *write {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil { //nolint:gosec // a source file
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want.Bytes()) {
		t.Errorf("%s is not what Go says (%v): go test ./web -run TestGeneratedTexts -write", path, err)
	}
}

// eachConst calls visit with the name, type and value of each text constant of a package.
func eachConst(t *testing.T, folder string, visit func(name, typ, value string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			typ, _ := spec.Type.(*ast.Ident)
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			name := ""
			if typ != nil {
				name = typ.Name
			}
			visit(spec.Names[0].Name, name, value)
			return true
		})
	}
}
