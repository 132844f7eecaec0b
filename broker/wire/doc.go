// Package wire is the Kafka protocol of Apache Kafka 3.9 in ZooKeeper mode: every request and response, the
// headers in front of them, the table of APIs and versions, and the table of error codes. It opens no
// connection, starts no goroutine and knows nothing of the rest of the broker.
//
// # Messages
//
// Each API has one file, named by its key and name (00_produce.go), with a Go struct for the request, one for
// the response, and one for each kind of element in them. One struct serves every version: its field tags say
// in which versions a field is on the wire, and one codec turns a struct and a version into bytes and back.
//
//	p := wire.New[wire.FetchResponsePartition]()  // an element with Kafka's defaults (-1 and so on)
//	req := wire.NewRequest(wire.Metadata)         // a message with Kafka's defaults, by key
//	err := wire.Decode(body, req, 12)             // body aliases: see Decode
//	buf, err = wire.AppendResponse(buf, 12, correlationID, resp)
//
// A struct literal has Go's zeros, which are often not the protocol's defaults: a literal
// FetchResponsePartition tells a v12 consumer that its log diverged at epoch 0. Use New (or SetDefaults).
//
// # Field tags
//
// A tag has a version range and then options, separated by commas:
//
//	wire:"0+"                     in every version
//	wire:"3-7"                    from version 3 to 7
//	wire:"4"                      in version 4 only
//	wire:"1+,nullable=2+"         may be null from version 2 (types *string, []byte, slices and *struct)
//	wire:"0+,default=-1"          the value of the field in New and in versions that lack it (integers in any
//	                              base Go reads, true, or for a nullable slice: null)
//	wire:"12+,tag=0"              a tagged field: in the tag section of its struct, when it is not the default
//	wire:"5+,ignorable"           may hold any value in versions that lack it; without this option a value
//	                              that is not the default is an encode error there, as in Kafka
//	wire:"0+,external=RecordsSize" bytes that the caller sends itself: see AppendFetchResponse
//	wire:"-"                      never on the wire
//
// Every exported field of a message must have a tag. The wire type follows from the Go type:
//
//	bool int8 int16 int32 int64 float64   fixed size, big endian (Error is an int16)
//	UUID                                         16 bytes
//	string, *string                              int16 length, or uvarint length+1 in flexible versions
//	[]byte                                       int32 length, or uvarint length+1 in flexible versions
//	[]int32 []int64 []string []struct            int32 count, or uvarint count+1 in flexible versions
//	struct                                       its fields, then its tag section in flexible versions
//	*struct                                      int8 (-1 null, 1 present), then the struct
//
// A nil *string, nil nullable []byte or nil nullable slice is null; an empty one that is not nil is empty. In a version
// where null is not allowed nil encodes as empty, and null on the wire is an error. A nullable slice whose default
// is not null starts out empty and not nil in New; a *string starts out nil.
//
// # Frames
//
//	+------------+------------------+------+
//	| size int32 | header           | body |
//	+------------+------------------+------+
//
//	request header v0   api key int16, version int16, correlation id int32       (ControlledShutdown v0)
//	request header v1   ... and client id, a nullable string with an int16 length
//	request header v2   ... and a tag section                                    (flexible versions)
//	response header v0  correlation id int32
//	response header v1  ... and a tag section                                    (flexible versions)
//
// The response of ApiVersions has header v0 in every version: a client must be able to read it before it knows
// what the broker speaks.
//
// # Hostile input
//
// Decode allocates nothing before it has compared the announced length or count with the bytes that are there,
// and every message has a budget: what is allocated for one message stays under a small multiple of its bytes
// (see decodeBudget). Counts of tag sections are bounded by the bytes left. Types do not recurse, so the depth of a message is
// the depth of its struct.
//
// # State
//
// The only package-level state that changes is a cache of plans (plan.go): what a struct looks like in one version,
// derived from the types alone, built on first use and never changed after.
package wire
