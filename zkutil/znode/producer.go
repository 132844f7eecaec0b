package znode

import (
	"fmt"
	"strconv"
)

// Paths of producer ids and of a migration to KRaft.
const (
	ProducerIDBlockPath = "/latest_producer_id_block"
	// MigrationPath is written by KRaft controllers only; a cluster that does not migrate never has it.
	MigrationPath = "/migration"
)

// ProducerIDBlockSize is how many producer ids one block has.
const ProducerIDBlockSize = 1000

// ProducerIDBlock is the content of /latest_producer_id_block: the block given out last.
type ProducerIDBlock struct {
	// Broker is who got it.
	Broker int32
	// First and Last are inclusive.
	First, Last int64
}

// Encode gives the version 1 bytes; the bounds are strings.
func (p ProducerIDBlock) Encode() []byte {
	b := appendInt([]byte(`{"version":1,"broker":`), p.Broker)
	b = appendInt(append(b, `,"block_start":"`...), p.First)
	b = appendInt(append(b, `","block_end":"`...), p.Last)
	return append(b, `"}`...)
}

// DecodeProducerIDBlock reads /latest_producer_id_block. No data means that no block was given out yet: handle it before calling.
// Stricter than Apache: bounds that are negative or the wrong way round are an error.
func DecodeProducerIDBlock(data []byte) (ProducerIDBlock, error) {
	p, err := decodeProducerIDBlock(data)
	if err != nil {
		return ProducerIDBlock{}, fmt.Errorf("producer id block: %w", err)
	}
	return p, nil
}

func decodeProducerIDBlock(data []byte) (p ProducerIDBlock, err error) {
	v, err := parseObject(data)
	if err != nil {
		return p, err
	}
	f := v.fields("broker", "block_start", "block_end")
	if p.Broker, err = f[0].int32("broker"); err != nil {
		return p, err
	}
	if p.First, err = f[1].decimal("block_start"); err != nil {
		return p, err
	}
	if p.Last, err = f[2].decimal("block_end"); err != nil {
		return p, err
	}
	if p.First < 0 || p.Last < p.First || p.Last-p.First > 1<<31-2 {
		return p, malformed("block from %d to %d", p.First, p.Last)
	}
	return p, nil
}

// decimal decodes a string that holds a long.
func (v raw) decimal(name string) (int64, error) {
	s, err := v.str(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, malformed("field %s: %.30q is not a long", name, s)
	}
	return n, nil
}
