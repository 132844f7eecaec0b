// Package api answers the requests of Kafka's protocol: one file per API, named as in broker/wire (00_produce.go, 01_fetch.go, ...), each with a
// header that says which versions are served and what is deliberately left out.
//
// # The way of a request
//
// network reads a frame and calls [Handlers.ServeRequest] in the connection's goroutine, in order of arrival. The table in table.go says which
// APIs and versions are served; that same table is what ApiVersions advertises, so nothing is advertised that isn't done. The body is decoded
// and the API's handler called. A handler answers at once, or hands its request to something that will (the replica manager for long polls
// and acks=all, the metadata cache for topics being made, the controller for its own RPCs). It never starts a goroutine.
//
// Until this broker knows the cluster (its first UpdateMetadata), only the controller's requests are answered; others wait at the gate, so that no client
// is told of a cluster without topics.
//
// What this package leaves out of Kafka's behaviour is listed in skipped.md, with the reason.
package api
