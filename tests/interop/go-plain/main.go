// SPDX-License-Identifier: Apache-2.0

// A client of /dev/nitro_enclaves and AF_VSOCK with Go's own syscall package:
// no C library is between it and the kernel.
//
//	client IMAGE	boots it, prints "booted: cid N" and ends it
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	memorySize    = 128 << 20
	vcpus         = 2
	heartbeatPort = 9000
	heartbeat     = 0xb7
	bootSeconds   = 30

	mapHugeTLB = 0x40000

	afVSOCK = 40
	cidAny  = 0xffffffff

	ioWrite = 1
	ioRead  = 2

	neEIFImage = 1
)

// ioctlNumber is _IOC() of asm-generic/ioctl.h, of the driver's type.
func ioctlNumber(direction, number, size uintptr) uintptr {
	return direction<<30 | size<<16 | 0xae<<8 | number
}

var (
	neCreateVM            = ioctlNumber(ioRead, 0x20, 8)
	neAddVCPU             = ioctlNumber(ioRead|ioWrite, 0x21, 4)
	neGetImageLoadInfo    = ioctlNumber(ioRead|ioWrite, 0x22, 16)
	neSetUserMemoryRegion = ioctlNumber(ioWrite, 0x23, 24)
	neStartEnclave        = ioctlNumber(ioRead|ioWrite, 0x24, 16)
)

type sockaddrVM struct {
	family   uint16
	reserved uint16
	port     uint32
	cid      uint32
	zero     [4]byte
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func ioctl(what string, fd int, request uintptr, argument unsafe.Pointer) int {
	result, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd),
		request, uintptr(argument))
	if errno != 0 {
		check(what, errno)
	}
	return int(result)
}

func createEnclave() int {
	device, err := syscall.Open("/dev/nitro_enclaves",
		syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	check("/dev/nitro_enclaves", err)
	defer syscall.Close(device)

	var slot uint64
	return ioctl("NE_CREATE_VM", device, neCreateVM, unsafe.Pointer(&slot))
}

func giveMemory(enclave int, image []byte) {
	load := struct{ flags, offset uint64 }{flags: neEIFImage}
	ioctl("NE_GET_IMAGE_LOAD_INFO", enclave, neGetImageLoadInfo,
		unsafe.Pointer(&load))

	memory, err := syscall.Mmap(-1, 0, memorySize,
		syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|mapHugeTLB)
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

func hearHeartbeat() int {
	fd, err := syscall.Socket(afVSOCK, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check("socket", err)
	address := sockaddrVM{family: afVSOCK, port: heartbeatPort, cid: cidAny}
	_, _, errno := syscall.Syscall(syscall.SYS_BIND, uintptr(fd),
		uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address))
	if errno != 0 {
		check("bind", errno)
	}
	check("listen", syscall.Listen(fd, 1))
	timeout := syscall.Timeval{Sec: bootSeconds}
	check("SO_RCVTIMEO", syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET,
		syscall.SO_RCVTIMEO, &timeout))
	return fd
}

func answerHeartbeat(listener int) {
	var peer sockaddrVM
	length := uint32(unsafe.Sizeof(peer))
	fd, _, errno := syscall.Syscall6(syscall.SYS_ACCEPT4, uintptr(listener),
		uintptr(unsafe.Pointer(&peer)),
		uintptr(unsafe.Pointer(&length)), 0, 0, 0)
	if errno != 0 {
		check("accept", errno)
	}
	beat := []byte{0}
	_, err := syscall.Read(int(fd), beat)
	check("read", err)
	if beat[0] != heartbeat {
		check("heartbeat", fmt.Errorf("is %#x", beat[0]))
	}
	_, err = syscall.Write(int(fd), beat)
	check("write", err)
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
	listener := hearHeartbeat()
	start := struct{ flags, cid uint64 }{}
	ioctl("NE_START_ENCLAVE", enclave, neStartEnclave, unsafe.Pointer(&start))
	answerHeartbeat(listener)
	fmt.Printf("booted: cid %d\n", start.cid)
}
