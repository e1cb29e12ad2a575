//go:build !race

package errorqueue_test

const raceEnabled = false
