// A policy pack without a rule, in Go: what it adds to a preview, any pack in any language does.
//
// It reads no message and answers each call with nothing, from bytes that lie ready.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// AnalyzerInfo(name="empty"); any other message that says nothing is empty.
const info = "\n\x05empty"

type unread struct{}

func (unread) Name() string { return "proto" }

func (unread) Marshal(answer any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*answer.(*[]byte))}, nil
}

func (unread) Unmarshal(mem.BufferSlice, any) error { return nil }

func answer(_ any, stream grpc.ServerStream) error {
	var request, told []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	if method, _ := grpc.MethodFromServerStream(stream); strings.HasSuffix(method, "/GetAnalyzerInfo") {
		told = []byte(info)
	}
	return stream.SendMsg(&told)
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	go func() {
		<-interrupted
		os.Exit(0)
	}()
	server := grpc.NewServer(grpc.UnknownServiceHandler(answer), grpc.ForceServerCodecV2(unread{}), grpc.MaxRecvMsgSize(1<<30))
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
