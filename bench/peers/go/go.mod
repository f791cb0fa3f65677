module millrace-bench-go

go 1.26
