// Package telemetry is what a broker tells about itself: typed events (the timeline), metrics, readiness, and the small HTTP
// server that shows them.
//
// # Events
//
// Whatever decides or does something that someone who studies or debugs a cluster wants to see emits an Event: a plain struct,
// one type per kind, listed in Catalogue. Events that follow from one another carry the same CauseID. Emit never blocks and
// never fails:
//
//	emitter -> Sink.Emit -> Bus -+-> ring of the latest records  (Bus.Latest, GET /events)
//	                             +-> queue -> subscriber          (Bus.Subscribe, GET /events?follow=true)
//	                             +-> queue -> logrus              (StartLog, the only place that knows logrus)
//
// Every queue is bounded. A subscriber that falls behind loses records, is told how many (Subscription.Dropped), and the loss is
// counted in prekraft_telemetry_eventsdropped_total.
//
// # Metrics
//
// The table (see Table) names each metric by the JMX bean it has in Apache Kafka; its Prometheus name is what the JMX exporter's
// standard rules make of that bean, in lower case, so that existing dashboards work. Hot paths hold a *Counter or *Histogram and
// pay one or three atomic additions; there is no lookup by label per request. Percentiles are computed when someone scrapes.
//
// # Ownership
//
// All state is per instance. A Bus, a Metrics and a Readiness are safe for concurrent use. The goroutines of this package are
// one per StartLog and those of the HTTP server; Close of either returns when they are gone.
package telemetry
