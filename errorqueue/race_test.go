//go:build race

package errorqueue_test

const raceEnabled = true // tests take several times as long
