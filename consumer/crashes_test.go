package consumer

import "testing"

func TestCountsAcquired(t *testing.T) {
	for version, want := range map[string]bool{
		"4.3.0": true, "4.3.6": true, "4.10.1": true, "5.0.0": true, "4.3": true, "4.3.0-rc.1": true, "10.0.0": true,
		"4.2.9": false, "4.0.5": false, "3.13.7": false, "3.10.8": false, "": false, "x": false, "4": false, "4.x": false,
	} {
		if got := delaysRetries(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
