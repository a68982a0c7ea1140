// SPDX-License-Identifier: Apache-2.0

// verifier ROOT.PEM SECONDS DOCUMENT: is this document genuine, if that root
// is trusted, at that time? See ../README.
package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"

	"github.com/hf/nitrite"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

func options(root, seconds string) nitrite.VerifyOptions {
	pem, err := os.ReadFile(root)
	check(err)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		check(errors.New("no certificate in " + root))
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	check(err)
	return nitrite.VerifyOptions{Roots: roots, CurrentTime: time.Unix(at, 0)}
}

func optional(name string, data []byte) {
	if data == nil {
		fmt.Printf("%s none\n", name)
	} else {
		fmt.Printf("%s %x\n", name, data)
	}
}

func print(document *nitrite.Document) {
	fmt.Printf("module_id %s\n", document.ModuleID)
	fmt.Printf("digest %s\n", document.Digest)
	fmt.Printf("timestamp %d\n", document.Timestamp)
	var indices []int
	for index := range document.PCRs {
		indices = append(indices, int(index))
	}
	sort.Ints(indices)
	for _, index := range indices {
		fmt.Printf("pcr %d %x\n", index, document.PCRs[uint(index)])
	}
	fmt.Printf("certificate %x\n", document.Certificate)
	for _, certificate := range document.CABundle {
		fmt.Printf("cabundle %x\n", certificate)
	}
	optional("public_key", document.PublicKey)
	optional("user_data", document.UserData)
	optional("nonce", document.Nonce)
}

func main() {
	if len(os.Args) != 4 {
		check(errors.New("usage: verifier ROOT.PEM SECONDS DOCUMENT"))
	}
	how := options(os.Args[1], os.Args[2])
	document, err := os.ReadFile(os.Args[3])
	check(err)
	result, err := nitrite.Verify(document, how)
	if err != nil {
		fmt.Fprintf(os.Stderr, "refused: %v\n", err)
		os.Exit(1)
	}
	print(result.Document)
}
