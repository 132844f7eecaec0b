// Package peers is this broker's way to the other brokers: connections on the inter-broker listener, found through the metadata cache.
//
// [ControllerLink] reaches whoever is controller now (Kafka: NodeToControllerChannelManager); it finds the new one when that changes. Its callers block, each
// in a goroutine of its own; one request is in flight at a time.
//
// [Transport] opens the connections over which this broker, while it is controller, sends its control requests.
package peers
