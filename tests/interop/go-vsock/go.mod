module libne.test/vsock

go 1.19

require (
	github.com/mdlayher/vsock v1.2.1
	golang.org/x/sys v0.7.0
)

require (
	github.com/mdlayher/socket v0.4.1 // indirect
	golang.org/x/net v0.9.0 // indirect
	golang.org/x/sync v0.1.0 // indirect
)
