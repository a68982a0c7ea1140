// SPDX-License-Identifier: Apache-2.0

// A client whose vsock sockets are github.com/mdlayher/vsock's: non-blocking
// ones, driven by the Go run-time's epoll, with deadlines.
//
//	client IMAGE	boots it, prints "booted: cid N" and ends it
package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/mdlayher/vsock"
	"golang.org/x/sys/unix"
)

const (
	memorySize    = 128 << 20
	vcpus         = 2
	heartbeatPort = 9000
	heartbeat     = 0xb7
	bootTime      = 30 * time.Second

	// linux/nitro_enclaves.h
	neCreateVM            = 0x8008ae20
	neAddVCPU             = 0xc004ae21
	neGetImageLoadInfo    = 0xc010ae22
	neSetUserMemoryRegion = 0x4018ae23
	neStartEnclave        = 0xc010ae24
	neEIFImage            = 1
)

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func ioctl(what string, fd int, request uintptr, argument unsafe.Pointer) int {
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request,
		uintptr(argument))
	if errno != 0 {
		check(what, errno)
	}
	return int(result)
}

func createEnclave() int {
	device, err := os.OpenFile("/dev/nitro_enclaves", os.O_RDWR, 0)
	check("open", err)
	defer device.Close()

	var slot uint64
	return ioctl("NE_CREATE_VM", int(device.Fd()), neCreateVM,
		unsafe.Pointer(&slot))
}

func giveMemory(enclave int, image []byte) {
	load := struct{ flags, offset uint64 }{flags: neEIFImage}
	ioctl("NE_GET_IMAGE_LOAD_INFO", enclave, neGetImageLoadInfo,
		unsafe.Pointer(&load))
	memory, err := unix.Mmap(-1, 0, memorySize,
		unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB)
	check("huge pages", err)
	copy(memory[load.offset:], image)
	region := struct{ flags, size, address uint64 }{
		size:    memorySize,
		address: uint64(uintptr(unsafe.Pointer(&memory[0]))),
	}
	ioctl("NE_SET_USER_MEMORY_REGION", enclave, neSetUserMemoryRegion,
		unsafe.Pointer(&region))
}

func giveVCPUs(enclave int) {
	for i := 0; i < vcpus; i++ {
		var id uint32
		ioctl("NE_ADD_VCPU", enclave, neAddVCPU, unsafe.Pointer(&id))
	}
}

func answerHeartbeat(listener *vsock.Listener, cid uint64) {
	check("deadline", listener.SetDeadline(time.Now().Add(bootTime)))
	connection, err := listener.Accept()
	check("accept", err)
	defer connection.Close()

	check("deadline", connection.SetDeadline(time.Now().Add(bootTime)))
	beat := []byte{0}
	_, err = connection.Read(beat)
	check("read", err)
	if beat[0] != heartbeat {
		check("heartbeat", fmt.Errorf("is %#x", beat[0]))
	}
	_, err = connection.Write(beat)
	check("write", err)
	if peer := connection.RemoteAddr().(*vsock.Addr); uint64(peer.ContextID) != cid {
		check("heartbeat", fmt.Errorf("is from %v, not %d", peer, cid))
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: client IMAGE")
		os.Exit(2)
	}
	image, err := os.ReadFile(os.Args[1])
	check("image", err)

	enclave := createEnclave()
	giveMemory(enclave, image)
	giveVCPUs(enclave)
	listener, err := vsock.ListenContextID(unix.VMADDR_CID_ANY, heartbeatPort, nil)
	check("listen", err)
	start := struct{ flags, cid uint64 }{}
	ioctl("NE_START_ENCLAVE", enclave, neStartEnclave, unsafe.Pointer(&start))
	answerHeartbeat(listener, start.cid)
	fmt.Printf("booted: cid %d\n", start.cid)
	check("close", unix.Close(enclave))
}
