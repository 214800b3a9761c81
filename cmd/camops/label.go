package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/camd-project/camd/internal/command"
	"github.com/camd-project/camd/internal/label"
	"github.com/camd-project/camd/pkg/auth/record"
	"github.com/camd-project/camd/pkg/foreign"
	"github.com/camd-project/camd/pkg/proto"
	"github.com/camd-project/camd/pkg/store"
)

// labelCmd makes the labels of devices. docs/operations.md.
type labelCmd struct {
	Format  string   `arg:"--format" help:"label or sheet to print on: 62x29, 90x29, 57x32, 2.25x1.25in or a4" default:"62x29" placeholder:"NAME"`
	Title   string   `arg:"--title" help:"first line of the label, such as the model's name; at most 32 characters" placeholder:"TEXT"`
	Out     string   `arg:"--out" help:"folder to make" default:"labels" placeholder:"DIR"`
	Records []string `arg:"positional,required" help:"what camd factory init --record wrote; many make one batch" placeholder:"RECORD"`
}

// pixels is the size of a code's module in the PNG.
const pixels = 8

// Run reads all records before it writes anything: a batch is made whole or not at all.
func (c *labelCmd) Run(env *environment) error {
	format, err := label.Find(c.Format)
	if err != nil {
		return command.Usage(err.Error())
	}
	if utf8.RuneCountInString(c.Title) > 32 || c.Title != foreign.Line(c.Title) {
		return command.Usage("the title is one line of at most 32 characters")
	}
	records, err := readRecords(c.Records)
	if err != nil {
		return err
	}
	files, err := c.draw(format, records)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.Out); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("%s is there already: remove it when its labels are printed, or name another folder with --out", c.Out))
	}
	if err := store.WriteDir(c.Out, files); err != nil {
		return err
	}
	return say(env.out, "Labels made: %d, in %s. They hold the secrets that let someone pair: remove the folder when they are printed.", len(records), c.Out)
}

// readRecords reads the records of a batch, each of another device.
func readRecords(paths []string) ([]record.Record, error) {
	var l []record.Record
	from := map[proto.DeviceID]string{}
	for _, path := range paths {
		text, err := readSmall(path)
		if err != nil {
			return nil, err
		}
		r, err := record.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; nothing was made", path, err)
		}
		if other, twice := from[r.Label.Device]; twice {
			return nil, fmt.Errorf("%s and %s are of the same device; nothing was made", other, path)
		}
		from[r.Label.Device], l = path, append(l, r)
	}
	return l, nil
}

// draw makes all files of a batch: a page for each label or sheet, each code as a picture,
// and the text of all as a table, which label printers' own programs take.
func (c *labelCmd) draw(format label.Format, records []record.Record) (map[string][]byte, error) {
	files := map[string][]byte{}
	var table bytes.Buffer
	w := csv.NewWriter(&table)
	_ = w.Write([]string{"device", "label", "typed"}) // Flush and Error below
	var page []label.Label
	for i, r := range records {
		device := string(r.Label.Device)
		l := label.Label{Code: r.Label.Text(), Typed: r.Label.TypedText(), Name: device, Title: c.Title}
		_ = w.Write([]string{device, l.Code, l.Typed})
		picture, err := label.PNG(l.Code, pixels)
		if err != nil {
			return nil, err
		}
		files[device+".png"] = picture
		page = append(page, l)
		if len(page) < format.PerPage() && i < len(records)-1 {
			continue
		}
		name := device
		if format.PerPage() > 1 {
			name = fmt.Sprintf("sheet-%d", i/format.PerPage()+1)
		}
		if files[name+".svg"], err = format.SVG(page...); err != nil {
			return nil, err
		}
		page = nil
	}
	w.Flush()
	files["labels.csv"] = table.Bytes()
	return files, w.Error()
}
