package telemetry

import (
	"strconv"
	"time"
)

const (
	// maxAPI bounds API keys. Kafka 3.9 has up to 87; others share the last place.
	maxAPI = 128
	// maxVersion bounds versions of an API. Kafka 3.9 has up to 17; higher ones share the last place.
	maxVersion = 32
	// minError and maxError bound error codes. Kafka 3.9 has -1 to 129; others share the last place.
	minError = -1
	maxError = 158
)

// Request is the metrics of one API.
type Request struct {
	name     string
	versions [maxVersion]Counter
	errors   [maxError - minError + 1]Counter
	bytes    Histogram
	times    [requestTimes]Histogram
}

// requestTimes is the number of times from RequestTotalTime to ResponseSendTime.
const requestTimes = int(ResponseSendTime-RequestTotalTime) + 1

func newRequest(name string) *Request { return &Request{name: name} }

// Request returns the metrics of an API. Any key is safe: what is out of range shares one place. A nil *Metrics gives nil, which
// counts nothing.
func (m *Metrics) Request(apiKey int16) *Request {
	if m == nil {
		return nil
	}
	slot := int(apiKey)
	if slot < 0 || slot >= maxAPI-1 {
		slot = maxAPI - 1
	}
	if r := m.apis[slot].Load(); r != nil {
		return r
	}
	return m.newAPI(slot, apiKey)
}

// newAPI makes the metrics of an API at its first request. Two APIs must not share a name, or a scrape would fail.
func (m *Metrics) newAPI(slot int, apiKey int16) *Request {
	m.apiNames.Lock()
	defer m.apiNames.Unlock()
	if r := m.apis[slot].Load(); r != nil {
		return r
	}
	name := "Unknown"
	if slot < maxAPI-1 {
		name = m.names.API(apiKey)
		if name == "" || m.apiNames.taken[name] {
			name += strconv.Itoa(int(apiKey))
		}
	}
	m.apiNames.taken[name] = true
	r := newRequest(name)
	m.apis[slot].Store(r)
	return r
}

// Fetch returns the metrics that count a fetch of a consumer or a follower beside those of the Fetch API.
func (m *Metrics) Fetch(follower bool) *Request {
	switch {
	case m == nil:
		return nil
	case follower:
		return m.fetchFollower
	default:
		return m.fetchConsumer
	}
}

// Times are the parts of a request's time. Their sum is its total.
type Times struct {
	// Queue is from reading the request to handling it.
	Queue time.Duration
	// Local is spent handling it.
	Local time.Duration
	// Remote is spent waiting for others: replicas, records, group members.
	Remote time.Duration
	// Throttle is how long the client is told or made to wait. It is not part of the total.
	Throttle time.Duration
	// ResponseQueue is from the response being ready to it being sent.
	ResponseQueue time.Duration
	// Send is spent sending it.
	Send time.Duration
}

// Observe counts one request: nine atomic additions.
func (r *Request) Observe(version int16, bytes int, t Times) {
	if r == nil {
		return
	}
	r.versions[clamp(int(version), 0, maxVersion-1)].Inc()
	r.bytes.Observe(int64(bytes))
	total := t.Queue + t.Local + t.Remote + t.ResponseQueue + t.Send
	for i, d := range [requestTimes]time.Duration{total, t.Queue, t.Local, t.Remote, t.Throttle, t.ResponseQueue, t.Send} {
		r.times[i].ObserveDuration(d)
	}
}

// Error counts an error code in a response, 0 included.
func (r *Request) Error(code int16) {
	if r == nil {
		return
	}
	if code < minError || code > maxError {
		code = maxError
	}
	r.errors[code-minError].Inc()
}

func clamp(n, low, high int) int {
	if n < low || n > high {
		return high
	}
	return n
}

// seen calls fn for every API that was asked for.
func (m *Metrics) seen(fn func(*Request)) {
	for i := range m.apis {
		if r := m.apis[i].Load(); r != nil {
			fn(r)
		}
	}
	fn(m.fetchConsumer)
	fn(m.fetchFollower)
}
