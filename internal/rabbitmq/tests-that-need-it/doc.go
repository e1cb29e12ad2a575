// Package needit stands in the list of `go test ./...` for all tests that need a RabbitMQ.
//
// go test shows nothing of what a package prints that passes, and a test that is skipped passes. So without a
// broker this package runs no test, which is what go test does show:
//
//	ok  	github.com/warren-mq/warren/internal/rabbitmq/tests-that-need-it	0.004s [no tests to run]
//
// Which tests those are, `make test` lists in the end, and `go test -v ./...` in between.
package needit
