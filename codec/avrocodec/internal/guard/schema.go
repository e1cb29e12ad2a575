package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/hamba/avro/v2"
)

// Bounds of a schema. Schemas come from a registry, where others may write.
const (
	MaxSchema    = 1 << 20 // bytes of its text
	maxNesting   = 256     // of its JSON
	maxFixed     = 1 << 20 // bytes of a fixed
	maxPrecision = 1000    // digits of a decimal
)

var bareName = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_.]*\s*$`)

// Parse parses a schema that may mention names which are defined in the references, and those may mention names of the
// references before them. Nothing is remembered from one call to the next: the library's own Parse keeps all names in
// one place for the whole process, so that a schema parses or not depending on what was parsed before.
func Parse(schema string, references ...string) (parsed avro.Schema, err error) {
	defer func() {
		if r := recover(); r != nil { // the library stumbles over some that are not sound, such as a default of a type in the making
			parsed, err = nil, fmt.Errorf("the schema is not sound: %v", r)
		}
	}()
	names := &avro.SchemaCache{}
	for i, text := range append(references[:len(references):len(references)], schema) {
		if err = check(text); err == nil {
			parsed, err = avro.ParseWithCache(text, "", names)
		}
		if err != nil && i < len(references) {
			return nil, fmt.Errorf("reference %d: %w", i, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

// check refuses what the library should not see: it allocates the default of a fixed by the size that the schema says,
// and takes what is no JSON for a name.
func check(text string) error {
	if len(text) > MaxSchema {
		return fmt.Errorf("the schema has %d bytes, more than %d", len(text), MaxSchema)
	}
	if strings.Contains(text, internal) {
		return fmt.Errorf("the schema has the name %s, which is taken", internal)
	}
	if bareName.MatchString(text) {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("the schema is no JSON: %w", err)
	}
	return checkValue(v, maxNesting)
}

func checkValue(v any, depth int) error {
	if depth == 0 {
		return fmt.Errorf("the schema is nested deeper than %d", maxNesting)
	}
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if err := checkValue(item, depth-1); err != nil {
				return err
			}
		}
	case map[string]any:
		if v["type"] == "fixed" {
			if err := checkNumber(v, "size", maxFixed); err != nil {
				return err
			}
		}
		if v["logicalType"] == "decimal" {
			if err := errors.Join(checkNumber(v, "precision", maxPrecision), checkNumber(v, "scale", maxPrecision)); err != nil {
				return err
			}
		}
		for _, item := range v {
			if err := checkValue(item, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNumber(v map[string]any, name string, most float64) error {
	if n, ok := v[name].(float64); ok && (n < 0 || n > most || n != math.Trunc(n)) {
		return fmt.Errorf("the schema has a %s of %v, not a whole number up to %v", name, n, most)
	}
	return nil
}
