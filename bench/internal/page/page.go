// Package page puts what programs have measured into a page that people have written.
//
// The page marks the places, each by two lines with its name:
//
//	<!-- begin ratios -->
//	<!-- end ratios -->
//
// What stands between them belongs to the program, everything else to the people.
package page

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Replace swaps what stands between the marks of section in file for body. The rest of the file stays as it is, its
// permissions too, and readers see the old page or the new one. It is an error if a mark is missing, or there twice,
// or if body has a mark of that section itself.
//
// Programs that write into the same file at the same time can undo each other's work.
func Replace(file, section, body string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := swap(string(old), section, body)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if text == string(old) {
		return nil
	}
	return write(file, []byte(text))
}

// swap is Replace for a text.
func swap(text, section, body string) (string, error) {
	begin, end := "<!-- begin "+section+" -->", "<!-- end "+section+" -->"
	for _, mark := range []string{begin, end} {
		if strings.Contains(body, mark) {
			return "", fmt.Errorf("the new text holds %s itself", mark)
		}
		if n := strings.Count(text, mark); n != 1 {
			return "", fmt.Errorf("%s is there %d times, and must be once", mark, n)
		}
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("%s comes before %s", end, begin)
	}
	var b strings.Builder
	b.WriteString(before + begin + "\n")
	if body = strings.Trim(body, "\n"); body != "" {
		b.WriteString("\n" + body + "\n\n") // Markdown wants the empty lines around a table
	}
	b.WriteString(end + after)
	return b.String(), nil
}

// write replaces file by another one that is complete before it has the name.
func write(file string, data []byte) (err error) {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if file, err = filepath.EvalSymlinks(file); err != nil { // the link stays one
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
