package sentrymonitor

import "testing"

// A private program's module needs no host in its name.
func TestInApp(t *testing.T) {
	for module, want := range map[string]bool{
		"main": true, "shop": true, "shop/billing": true, "example.com/lib": true,
		"shopping": false, "runtime": false, "encoding/json": false,
		"github.com/warren-mq/warren/consumer": false, "github.com/warren-mq/warren/internal/execute": false,
	} {
		if inApp("shop", module) != want {
			t.Errorf("%s: %v", module, !want)
		}
	}
	if inApp("", "shop/billing") {
		t.Error("nothing is known of the program")
	}
}
