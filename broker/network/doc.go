// Package network is the broker's door: listeners, connections, frames, and the order of responses. It knows Kafka's
// framing and request header (broker/wire) and nothing of what a request means; that is the [Handler]'s.
//
// # A connection
//
// Each connection has one goroutine. It reads frames and calls [Handler.ServeRequest] itself, one request after the
// other, in order of arrival. Kafka hands a request from a network thread through a queue to an I/O thread; measured
// here, that shape doubles CPU and p99 at low concurrency, and the queue adds nothing, because a handler never waits:
// a request that has to (acks=all, a long poll, a JoinGroup) is kept by the handler and finished later, from any
// goroutine.
//
// Kafka mutes a connection while a request of it is being processed. Here up to Config.MaxPending requests may be
// unfinished, so that the pipelined acks=all produces of one client are replicated together. Their responses still leave
// in the order of the requests:
//
//	arrival order   [Produce 7: done][Fetch 8: pending][Produce 9: done][Produce 10: pending]
//	                 └ may be sent    └ holds back 9 and 10
//
// # Who writes
//
// Responses that may go are moved to the connection's out queue by whoever finishes the head of that row, under the
// connection's mutex. The right to write to the socket is a flag beside the queue; its holder writes until the queue
// is empty.
//
//   - The connection's own goroutine writes before it waits for input. As long as another whole frame is already
//     buffered it serves that first, so that a pipelining client gets many responses in one write.
//   - Anyone else (another connection's goroutine whose append moved a high watermark, a timer) may write what the
//     socket takes at once, up to a budget, and never waits: not for the socket, and not for a disk either (file ranges
//     are read only if they are in the page cache). What is left over goes to the connection's goroutine if it is
//     awake, else to a goroutine that lives until the queue is empty. Connections that can't be written to without
//     waiting (TLS, an in-memory network) always take that last way.
//
// Who finishes several requests of one connection says so ([Request.Hold]) and has their responses sent together ([Conn.Send]). And what a request starts beside its response, such as waking
// the followers that wait for its records, can wait for the requests of the same API that have come with it ([Request.Defer]): a process that is woken costs more than a batch.
//
// So a slow reader holds up itself only. A reader that takes nothing for Config.IdleTimeout is closed.
//
// # Memory
//
// An idle connection owns no buffer: waiting for input is waiting for the socket to be readable, and a buffer is lent
// when there is something to read. Bodies are lent to the handler; see [Request]. The memory of a large frame is
// allocated as its bytes arrive, so a header that announces 100 MiB costs 16 KiB until 16 KiB have been sent.
// File ranges ([Span]) are copied through pooled buffers, or sent with sendfile where that is cheaper: the socket is
// plain TCP on Linux, the peer is on another machine and the range is long, or too much memory is lent already.
//
// # Order of calls
//
// [New], [Server.Start], then [Server.Resume] for listeners configured Paused; at the end [Server.Shutdown] (or Close). The
// handler must finish every request exactly once, also after Shutdown: it is told nothing, its late replies are dropped and
// their spans released.
//
// [Client] is the other direction: a broker's own connections to other brokers.
package network
