package wire

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Message is a request or response of the protocol: a pointer to one of this package's XxxRequest and XxxResponse
// structs.
type Message interface {
	// APIKey returns the API that the message belongs to.
	APIKey() APIKey
}

// Request is a message that a client sends.
type Request interface {
	Message
	isRequest()
}

// Response is a message that a broker answers.
type Response interface {
	Message
	isResponse()
}

// NewRequest returns an empty request with Kafka's defaults, or nil when the key is not in the table.
func NewRequest(key APIKey) Request {
	row := row(key)
	if row == nil {
		return nil
	}
	m := row.request()
	SetDefaults(m)
	return m
}

// NewResponse returns an empty response with Kafka's defaults, or nil when the key is not in the table.
func NewResponse(key APIKey) Response {
	row := row(key)
	if row == nil {
		return nil
	}
	m := row.response()
	SetDefaults(m)
	return m
}

// SetDefaults resets m to the defaults of the protocol.
func SetDefaults(m Message) {
	v := reflect.ValueOf(m)
	v.Elem().SetZero()
	initialize(v.UnsafePointer(), defaults(v.Type().Elem()))
}

// New returns a T with the defaults of the protocol; T is a message struct or one of the structs inside one.
// It panics when T is none: that is a mistake in the program, whatever came over the network.
//
//	p := wire.New[wire.FetchResponsePartition]()
func New[T any]() T {
	var t T
	initialize(unsafe.Pointer(&t), defaults(reflect.TypeFor[T]()))
	return t
}

// defaultsByType caches what defaults computes; like plans it holds derived data only.
var defaultsByType sync.Map // derived data, see the package documentation

// defaults returns the defaults of a struct type of this package.
func defaults(typ reflect.Type) []initValue {
	if v, ok := defaultsByType.Load(typ); ok {
		return v.([]initValue)
	}
	if typ.Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: %s is not a struct of the protocol", typ))
	}
	values, err := allDefaults(typ)
	if err != nil {
		panic("wire: " + err.Error())
	}
	defaultsByType.Store(typ, values)
	return values
}

// SetThrottle sets the throttle time of a response in milliseconds and says whether the response has one: those of
// the control requests between brokers, SaslHandshake and SaslAuthenticate have none. Since KIP-219 a broker sends the
// response at once and then does not read from the connection for that time.
func SetThrottle(r Response, milliseconds int32) bool {
	v := reflect.ValueOf(r).Elem().FieldByName("ThrottleTimeMs")
	if !v.IsValid() {
		return false
	}
	v.SetInt(int64(milliseconds))
	return true
}

// String returns a pointer to s, for nullable strings.
func String(s string) *string { return &s }
