// Package clients tests the consumers of clients/legacy and the loops of clients/kafka against clusters. docs/clients.md is its guide.
package clients
