// A MongoDB-compatible server for tests: FerretDB 1.24 over SQLite, on 127.0.0.1, for as long as its standard input is open.
//
//	ferretdb 127.0.0.1:0 /tmp/data
//
// It prints its address once it listens. (What `go install` makes of FerretDB's own command panics: it wants a version that only their build writes.)
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: ferretdb HOST:PORT FOLDER")
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: os.Args[1]},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + filepath.ToSlash(os.Args[2]) + "/",
	})
	if err != nil {
		fail(err.Error())
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		// Whoever started us holds the other end, and the system closes it when they die.
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(server.MongoDBURI())
	if err := server.Run(ctx); err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
