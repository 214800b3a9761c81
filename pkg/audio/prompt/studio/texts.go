package studio

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"strings"

	"github.com/camd-project/camd/pkg/audio/prompt"
)

//go:embed texts.txt
var builtinTexts string

//go:embed names.txt
var builtinNames string

// Texts returns what the default archive says: the built-in texts, and the first
// names of names, or the built-in ones if it is nil.
func Texts(names io.Reader) (map[string]Text, error) {
	if names == nil {
		names = strings.NewReader(builtinNames)
	}
	texts := map[string]Text{}
	err := eachLine(strings.NewReader(builtinTexts), func(line string) error {
		name, words, ok := strings.Cut(line, ": ")
		if !ok || !prompt.ValidName(name) {
			return fmt.Errorf("%q is not NAME: TEXT", line)
		}
		texts[name] = Text{Words: words}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	if err := eachLine(names, func(line string) error { return addName(texts, line) }); err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	return texts, nil
}

// addName takes a line of a first name and maybe the voice that it is spoken in.
func addName(texts map[string]Text, line string) error {
	words := strings.Fields(line)
	clip, ok := prompt.NameClip(words[0])
	if !ok || len(words) > 2 {
		return fmt.Errorf("%q is not a first name in Latin letters and maybe a voice", line)
	}
	if other, twice := texts[clip]; twice {
		return fmt.Errorf("%s and %s are one clip, %s", other.Words, words[0], clip)
	}
	t := Text{Words: words[0]}
	if len(words) == 2 {
		t.Voice = words[1]
	}
	texts[clip] = t
	return nil
}

// eachLine calls take for each line that isn't empty or a comment.
func eachLine(r io.Reader, take func(line string) error) error {
	s := bufio.NewScanner(r)
	for s.Scan() {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := take(line); err != nil {
			return err
		}
	}
	return s.Err()
}
