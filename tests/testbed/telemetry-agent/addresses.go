package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// addresses gives each hollow node an address of its own: their kubelets share one process, which can't choose a source
// address, but can speak through one proxy for each node.
func addresses(arguments []string) error {
	set := flag.NewFlagSet("addresses", flag.ContinueOnError)
	first := set.Int("first-port", 12000, "loopback port of the first node's proxy; the others follow")
	sources := set.String("sources", "", "the nodes' addresses in their order, comma separated")
	service := set.String("service", "", "IP:PORT that stands for any of the servers, as the service kubernetes does")
	servers := set.String("servers", "", "IP:PORT of each server behind the service, comma separated")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	failed := make(chan error)
	for number, source := range strings.Split(*sources, ",") {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		behind := &balancer{*service, strings.Split(*servers, ","), number}
		address := fmt.Sprintf("127.0.0.1:%d", *first+number)
		go func() { failed <- http.ListenAndServe(address, connect(dialer, behind)) }()
	}
	return <-failed
}

// balancer is what a node has between itself and several servers: it starts with another server on each node.
type balancer struct {
	service string
	servers []string
	first   int
}

// dial goes to the address itself, or to the first server behind the service that takes the connection.
func (b *balancer) dial(ctx context.Context, dialer *net.Dialer, address string) (net.Conn, error) {
	if address != b.service {
		return dialer.DialContext(ctx, "tcp", address)
	}
	var last error
	for turn := range b.servers {
		server, err := dialer.DialContext(ctx, "tcp", b.servers[(b.first+turn)%len(b.servers)])
		if err == nil {
			return server, nil
		}
		last = err
	}
	return nil, last
}

// connect answers CONNECT, and nothing else, with a connection that comes from the dialer's address.
func connect(dialer *net.Dialer, behind *balancer) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		if request.Method != http.MethodConnect {
			http.Error(answer, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		server, err := behind.dial(request.Context(), dialer, request.Host)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadGateway)
			return
		}
		defer server.Close()
		answer.WriteHeader(http.StatusOK)
		client, _, err := http.NewResponseController(answer).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		ended := make(chan error, 2)
		go func() { ended <- pipe(server, client) }()
		go func() { ended <- pipe(client, server) }()
		<-ended
	}
}

func pipe(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return errors.Join(err, io.EOF)
}
