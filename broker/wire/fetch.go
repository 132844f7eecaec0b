package wire

// RecordGap is a place in an encoded fetch response where the records of one partition belong.
type RecordGap struct {
	// Offset is the length of the encoded bytes that go before the records; it is counted from the start of the
	// slice that was returned, with what dst held before.
	Offset int
	// Size is how many bytes of records go there; always positive.
	Size int32
}

// AppendFetchResponse appends the body of a fetch response whose records the caller sends itself, from files or
// from memory. A partition whose Records is empty and whose RecordsSize is positive leaves a gap: its length is
// encoded, its bytes are not. Partitions with Records have them in place; with neither, an empty record set (not null) is
// encoded, as Kafka does. The gaps are in the order of the response:
//
//	from := 0
//	for _, gap := range gaps {
//		send(out[from:gap.Offset])
//		send(the next gap.Size bytes of records)
//		from = gap.Offset
//	}
//	send(out[from:])
//
// On an error dst comes back as it was.
func AppendFetchResponse(dst []byte, r *FetchResponse, version int16) (out []byte, gaps []RecordGap, err error) {
	out, err = encode(dst, r, version, &gaps)
	if err != nil {
		return dst, nil, err
	}
	return out, gaps, nil
}

// AppendFetchResponseFrame is AppendFetchResponse with frame size and header before the body. The size counts the
// bytes in the gaps.
func AppendFetchResponseFrame(
	dst []byte, version int16, correlationID int32, r *FetchResponse,
) (out []byte, gaps []RecordGap, err error) {
	start := len(dst)
	out = append(dst, 0, 0, 0, 0)
	out = AppendResponseHeader(out, Fetch, version, correlationID)
	out, gaps, err = AppendFetchResponse(out, r, version)
	if err != nil {
		return dst, nil, err
	}
	external := int64(0)
	for _, gap := range gaps {
		external += int64(gap.Size)
	}
	if out, err = finishFrame(dst, out, start, external); err != nil {
		return dst, nil, err
	}
	return out, gaps, nil
}
