module github.com/warren-mq/warren

go 1.26.0

require (
	github.com/DataDog/datadog-go/v5 v5.9.1
	github.com/rabbitmq/amqp091-go v1.16.0
	github.com/spf13/cobra v1.10.2
)

require (
	github.com/Microsoft/go-winio v0.5.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	golang.org/x/sys v0.0.0-20210510120138-977fb7262007 // indirect
)
