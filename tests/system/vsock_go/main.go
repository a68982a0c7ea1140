// SPDX-License-Identifier: Apache-2.0

// Echo over AF_VSOCK with Go's network poller: sockets are non-blocking, and
// goroutines wait for them in epoll. Only to be run under ne-emu: CID 3 is
// ourselves there. The standard library knows no AF_VSOCK, so the calls are
// made by number.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

const (
	afVsock     = 40
	cidAny      = 0xffffffff
	cidParent   = 3
	port        = 5000
	connections = 100
)

func address(cid uint32) [16]byte {
	var raw [16]byte
	binary.LittleEndian.PutUint16(raw[0:], afVsock)
	binary.LittleEndian.PutUint32(raw[4:], port)
	binary.LittleEndian.PutUint32(raw[8:], cid)
	return raw
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func socket() int {
	fd, err := syscall.Socket(afVsock,
		syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	check("socket", err)
	return fd
}

func call(number uintptr, fd int, raw *[16]byte) error {
	_, _, errno := syscall.Syscall(number, uintptr(fd),
		uintptr(unsafe.Pointer(raw)), uintptr(len(raw)))
	if errno != 0 {
		return errno
	}
	return nil
}

func accept(listener *os.File) (*os.File, error) {
	conn, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd uintptr
	var errno syscall.Errno
	err = conn.Read(func(listener uintptr) bool {
		var raw [16]byte
		size := uint32(len(raw))
		fd, _, errno = syscall.Syscall6(syscall.SYS_ACCEPT4, listener,
			uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)),
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		if errno == 0 && (size != 16 || binary.LittleEndian.Uint32(raw[8:]) != cidParent) {
			errno = syscall.EPROTO
		}
		return errno != syscall.EAGAIN && errno != syscall.EINTR
	})
	if err != nil {
		return nil, err
	}
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, "connection"), nil
}

func serve(listener *os.File) {
	for {
		connection, err := accept(listener)
		check("accept", err)
		go func() {
			_, err := io.Copy(connection, connection)
			check("echo", err)
			connection.Close()
		}()
	}
}

func client(number int) {
	fd := socket()
	raw := address(cidParent)
	check("connect", call(syscall.SYS_CONNECT, fd, &raw))
	connection := os.NewFile(uintptr(fd), "client")
	sent := bytes.Repeat([]byte{byte(number), 'x', byte(number >> 8)}, 30000)
	go func() {
		_, err := connection.Write(sent)
		check("write", err)
	}()
	received := make([]byte, len(sent))
	_, err := io.ReadFull(connection, received)
	check("read", err)
	if !bytes.Equal(sent, received) {
		check("compare", fmt.Errorf("client %d got something else", number))
	}
	connection.Close()
}

func main() {
	// Elsewhere CID 3 may be somebody.
	if os.Getenv("NE_EMULATED") != "1" {
		check("start", fmt.Errorf("run me under ne-emu"))
	}
	fd := socket()
	raw := address(cidAny)
	check("bind", call(syscall.SYS_BIND, fd, &raw))
	check("listen", syscall.Listen(fd, 128))
	go serve(os.NewFile(uintptr(fd), "listener"))
	var clients sync.WaitGroup
	for i := 0; i < connections; i++ {
		clients.Add(1)
		go func(number int) {
			defer clients.Done()
			client(number)
		}(i)
	}
	clients.Wait()
}
