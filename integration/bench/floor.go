//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// The floor's requests are Kafka frames: size, then what the client sends. A frame whose api key is 0 (Produce) is appended to a file and answered with a small response;
// one with key 1 (Fetch) carries a position in its last 8 bytes and is answered with floorChunk bytes from there.
const (
	floorChunk    = 1 << 20
	floorResponse = 64
)

// runFloor serves on a free port, which it prints, with its file in dir. It does the least that any server must: read, write, answer.
func runFloor(dir string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	file, err := os.Create(filepath.Join(dir, "floor.log"))
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			_ = serveFloor(conn, file)
		}()
	}
}

func serveFloor(conn net.Conn, file *os.File) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	buf := make([]byte, 2<<20)
	answer := make([]byte, floorResponse)
	header := make([]byte, floorResponse)
	chunk := make([]byte, floorChunk)
	end := int64(0)
	for {
		if _, err := io.ReadFull(in, buf[:4]); err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(buf))
		if size > len(buf) {
			return fmt.Errorf("frame of %d bytes", size)
		}
		frame := buf[:size]
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		if binary.BigEndian.Uint16(frame) == 0 {
			if _, err := file.WriteAt(frame, end); err != nil {
				return err
			}
			end += int64(size)
			binary.BigEndian.PutUint32(answer, floorResponse-4)
			copy(answer[4:8], frame[4:8])
			if _, err := conn.Write(answer); err != nil {
				return err
			}
			continue
		}
		position := int64(binary.BigEndian.Uint64(frame[size-8:]))
		n, err := file.ReadAt(chunk, position)
		if err != nil && err != io.EOF {
			return err
		}
		binary.BigEndian.PutUint32(header, uint32(floorResponse-4+n))
		copy(header[4:8], frame[4:8])
		if _, err := (&net.Buffers{header, chunk[:n]}).WriteTo(conn); err != nil {
			return err
		}
	}
}
