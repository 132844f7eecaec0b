// Package znode holds the path and the content of every znode of a Kafka 3.9 cluster in ZooKeeper mode. It is pure: no I/O, no clock, no state.
//
// Table lists all of them: pattern, kind, sensitivity, one line of explanation and a decoder; Explain finds the entry for a
// path, Pretty renders data for people. For each family there is a file with path builders, parsers and an
// encode/decode pair:
//
//	/controller /controller_epoch /cluster/id            controller.go
//	/brokers/ids/<id> /brokers/seqid                     broker.go
//	/brokers/topics/<t>[/partitions/<p>/state]           topic.go
//	/config/<type>/<entity> /config/changes              config.go
//	/admin/... /isr_change_... /log_dir_event_...        admin.go
//	/feature /latest_producer_id_block /migration        feature.go, producer.go
//	/delegation_token /kafka-acl...                      token.go, authorizer.go
//	/consumers                                           consumers.go
//	/prekraft                                            own.go
//
// # Bytes
//
// Encoders give the bytes Apache Kafka gives, including the order of JSON keys. Apache does not choose that order: it falls out of the
// iteration order of Scala and Java hash maps, which is a function of the keys alone, so hashorder.go computes it. Nobody may rely on
// the order, but equal bytes make two clusters comparable with diff.
//
// # Strictness
//
// Decoders accept and refuse what Apache's do: an int field that holds a string is an error, a missing mandatory field is an
// error, unknown fields are ignored (except where Apache binds to classes), of duplicate keys the last wins, text behind the root value is ignored.
// testdata/decode.txt holds Apache's verdicts. Exceptions, where we are stricter on purpose, are named at the decoder. Every error wraps ErrMalformed.
//
// # Numbers
//
// Broker ids and partition ids are plain int32, since they travel in slices between JSON and the wire; epochs and versions, which
// get mixed up, are types of their own.
package znode
