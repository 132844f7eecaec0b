// Package timeline makes one story of the events of several brokers: in one order, each with the event it follows from.
//
// A broker's events are ordered by themselves (telemetry.Record.Seq); between brokers there are only clocks. A [Timeline] holds every event back for a
// window, orders what is in it by time, and finds for each event its cause by what the two have in common: a control request that arrived and the one that
// was sent share controller, receiver and correlation id; a role that changed follows from the LeaderAndIsr request that this broker got last; an ISR that the
// controller wrote from the one that the leader proposed for the same partition epoch; the znode that changed from the one that somebody wrote. An event is never
// released before its cause, even when the clocks say otherwise.
//
//	Add(record) -> index by what it can be the cause of
//	            -> window, ordered by time -> its cause first -> filter -> Line{Number, From}
//
// The package decides only: no goroutines, no clock, no input or output. A Timeline belongs to one goroutine.
package timeline
