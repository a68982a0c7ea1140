module libne.test/plain

go 1.19
