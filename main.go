// Command prekraft is a Kafka cluster of the ZooKeeper era in one binary.
package main

import (
	"os"

	"github.com/prekraft/prekraft/clients/cli"
)

// version is set by the Makefile.
var version = "dev"

func main() { os.Exit(cli.Main(version, os.Args[1:])) }
