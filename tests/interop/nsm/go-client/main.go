// SPDX-License-Identifier: Apache-2.0

// All that github.com/hf/nsm can ask of a /dev/nsm, one line for each answer;
// see ../README.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/hf/nsm"
	"github.com/hf/nsm/request"
	"github.com/hf/nsm/response"
)

func fail(what string, why interface{}) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, why)
	os.Exit(1)
}

func ask(session *nsm.Session, question request.Request) response.Response {
	answer, err := session.Send(question)
	if err != nil {
		fail(fmt.Sprintf("%T", question), err)
	}
	return answer
}

// What is not refused.
func get(session *nsm.Session, question request.Request) response.Response {
	answer := ask(session, question)
	if answer.Error != "" {
		fail(fmt.Sprintf("%T", question), answer.Error)
	}
	return answer
}

func describe(session *nsm.Session) {
	it := get(session, &request.DescribeNSM{}).DescribeNSM
	fmt.Printf("module_id %s\n", it.ModuleID)
	fmt.Printf("version %d.%d.%d\n", it.VersionMajor, it.VersionMinor,
		it.VersionPatch)
	fmt.Printf("max_pcrs %d\n", it.MaxPCRs)
	fmt.Printf("digest %s\n", it.Digest)
	fmt.Printf("locked_pcrs %s\n", strings.Trim(fmt.Sprint(it.LockedPCRs), "[]"))
}

func describePCR(session *nsm.Session, index uint16) {
	it := get(session, &request.DescribePCR{Index: index}).DescribePCR
	state := "open"
	if it.Lock {
		state = "locked"
	}
	fmt.Printf("pcr %d %s %x\n", index, state, it.Data)
}

func extend(session *nsm.Session, index uint16, data string) {
	it := get(session, &request.ExtendPCR{Index: index, Data: []byte(data)})
	fmt.Printf("extended %d %x\n", index, it.ExtendPCR.Data)
}

func lock(session *nsm.Session) {
	if get(session, &request.LockPCR{Index: 16}).LockPCR == nil {
		fail("LockPCR", "another answer")
	}
	describePCR(session, 16)
	if get(session, &request.LockPCRs{Range: 20}).LockPCRs == nil {
		fail("LockPCRs", "another answer")
	}
	describe(session)
}

func random(session *nsm.Session) []byte {
	return get(session, &request.GetRandom{}).GetRandom.Random
}

func refused(session *nsm.Session, what string, question request.Request) {
	fmt.Printf("error %s %s\n", what, ask(session, question).Error)
}

func document(session *nsm.Session, name string, question request.Attestation) {
	it := get(session, &question).Attestation
	fmt.Printf("document %s %x\n", name, it.Document)
}

func main() {
	session, err := nsm.OpenDefaultSession()
	if err != nil {
		fail("cannot open /dev/nsm", err)
	}
	defer session.Close()

	describe(session)
	for index := uint16(0); index < 32; index++ {
		describePCR(session, index)
	}
	extend(session, 16, "first")
	extend(session, 16, "second")
	lock(session)
	one, another := random(session), random(session)
	fmt.Printf("random %d %d %t\n", len(one), len(another),
		!bytes.Equal(one, another))
	refused(session, "ExtendPCR",
		&request.ExtendPCR{Index: 16, Data: []byte("third")})
	refused(session, "DescribePCR", &request.DescribePCR{Index: 32})
	document(session, "bare", request.Attestation{})
	document(session, "full", request.Attestation{
		UserData:  []byte("user data \x00\xff"),
		Nonce:     []byte("nonce \x00\xff"),
		PublicKey: []byte("public key \x00\xff"),
	})
}
