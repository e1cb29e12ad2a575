//go:build race

package codec_test

const raceEnabled = true // a pool then drops things at random, so that allocations cannot be counted
