module libne.test/nsm-client

go 1.19

require github.com/hf/nsm v0.0.0-20220930140112-cd181bd646b9

require (
	github.com/fxamacker/cbor/v2 v2.2.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
)
