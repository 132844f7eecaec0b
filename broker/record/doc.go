// Package record reads, checks, patches and builds Kafka's record batches: the bytes that travel unchanged from a
// producer's socket into a segment and on to a consumer.
//
// A buffer of records (a Produce or Fetch field, a stretch of a segment) is a sequence of entries. Every entry begins
// with the same 17 bytes, whatever its format:
//
//	 0        8      12             16 17
//	+--------+------+--------------+--+----
//	| offset | size | epoch or crc | m|  ...     size counts the bytes after itself; m is the magic
//	+--------+------+--------------+--+----
//
// Magic 2 is the record batch, the only format a 3.9 leader appends:
//
//	 0          8      12     16 17   21         23              27            35           43         51            53           57           61
//	+----------+------+------+--+----+----------+---------------+-------------+------------+----------+-------------+------------+------------+---------
//	|baseOffset|length|leader| 2|crc | attri-   |lastOffsetDelta|baseTimestamp|maxTimestamp|producerId|producerEpoch|baseSequence|recordsCount| records
//	|  int64   |int32 |Epoch |  |    | butes    |     int32     |    int64    |   int64    |  int64   |    int16    |   int32    |   int32    |
//	+----------+------+------+--+----+----------+---------------+-------------+------------+----------+-------------+------------+------------+---------
//	                                 |<-- CRC-32C covers this to the end of the batch -->
//
// so that assigning an offset and a leader epoch never touches the checksum. Attributes, from bit 0: three bits of
// codec, LogAppendTime, transactional, control, delete horizon set. Compressed records are one stream from byte 61 on.
// A record is
//
//	length varint | attributes int8 | timestampDelta varlong | offsetDelta varint
//	  | keyLength varint | key | valueLength varint | value | headersCount varint
//	  | headersCount times: keyLength varint | key | valueLength varint | value
//
// with zig-zag varints and length -1 for null. Magic 0 and 1 are message sets of Kafka before 0.11, see [Legacy]: they
// are read, checked and iterated, never built.
//
// # Use
//
//   - [ReadBatch] cuts one [Batch] off a buffer; [ReadEntry] and [ParseHeader] do so for any magic (recovery, dumping).
//   - [Batch] reads and patches the header in place. [Batch.CheckCRC] and [Batch.CheckProduced] are the checks that need
//     only the header and the bytes, [ValidateRecords] the ones that look at every record.
//   - [Batch.Records], [Legacy.Records] and [Records] iterate.
//   - [Builder] builds, [Rebuild] re-encodes a batch with another codec or with repaired offsets.
//
// # Who owns what
//
// A Batch is a view of bytes that the caller owns, and setters write into them. Keys, values and headers of an
// iterated record point into the batch or, when it is compressed, into a buffer that the next step overwrites.
// Nothing here starts a goroutine or keeps state between calls; a [Codecs] pools decoders, encoders and their buffers
// for whoever owns it.
//
// # Hostile input
//
// Every length is checked before it is used. Compressed records are decoded in pieces of at most [MaxPiece] bytes, so
// checking a batch takes constant memory however far it expands, and the number of decompressed bytes is limited
// ([DefaultMaxDecompressed]; Kafka has no such limit). No input makes this package panic.
//
// Sources: Kafka's clients/src/main/java/org/apache/kafka/common/record and
// storage/src/main/java/org/apache/kafka/storage/internals/log/LogValidator.java, release 3.9.
package record
