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
	"sync/atomic"
	"time"
)

// counts is what the agents have seen so far; it goes to stdout once a second as one JSON line.
type counts struct {
	pods, agents, ok, throttled, unauthorized, failed, bytes atomic.Int64
}

// agents is what one pod of the DaemonSet does: how many collectors, over which lists.
type agents struct {
	who     *access
	perPod  int
	paths   []string
	newEach bool
	pause   time.Duration
	every   time.Duration
	timeout time.Duration
	seen    counts
	started atomic.Int64
}

func storm(arguments []string) error {
	set := flag.NewFlagSet("storm", flag.ContinueOnError)
	who := accessFlags(set)
	perPod := set.Int("per-pod", 1, "collectors that one pod runs, each with a connection of its own")
	nodes := set.String("nodes", "", "ADDRESS=KUBELET of each hollow node, comma separated; none: one pod, for ever, with --token")
	namespace := set.String("namespace", "telemetry", "namespace of the DaemonSet's pods")
	volumes := set.String("tokens", "", "where a pod's token lies on its node, with {pod} for its unique id and * for what is not known; none: who they are says the certificate")
	paths := set.String("paths", "/api/v1/pods", "lists that a collector loops over, separated by spaces")
	newEach := set.Bool("new-connection-each", false, "HTTP/1.1 and a new connection for each request")
	pause := set.Duration("pause", 100*time.Millisecond, "pause after an error, a 401 or a 429; none after an answer")
	every := set.Duration("every", 0, "time from one answered list of a collector to its next; 0: as soon as it can")
	timeout := set.Duration("timeout", 60*time.Second, "time limit of one request")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	user, err := who()
	if err != nil {
		return err
	}
	run := &agents{who: user, perPod: *perPod, paths: strings.Fields(*paths), newEach: *newEach, pause: *pause, every: *every, timeout: *timeout}
	if *nodes == "" {
		run.start(context.Background(), user, nil)
		select {}
	}
	all, err := parseNodes(*nodes)
	if err != nil {
		return err
	}
	for _, one := range all {
		go run.follow(one, *namespace, *volumes)
	}
	for ; ; time.Sleep(time.Second) {
		seen := &run.seen
		fmt.Printf(`{"pods":%d,"agents":%d,"ok":%d,"throttled":%d,"unauthorized":%d,"failed":%d,"bytes":%d}`+"\n", seen.pods.Load(),
			seen.agents.Load(), seen.ok.Load(), seen.throttled.Load(), seen.unauthorized.Load(), seen.failed.Load(), seen.bytes.Load())
	}
}

// start runs the collectors of one pod, until it is no longer alive.
func (a *agents) start(alive context.Context, who *access, source net.IP) {
	for range a.perPod {
		number := int(a.started.Add(1)) - 1
		client := who.client(source, a.newEach, a.timeout)
		a.seen.agents.Add(1)
		go a.loop(alive, who, client, number)
	}
}

// loop is one collector: it lists, reads the answer to its end and lists again, at once or in its rhythm, until its pod
// ends, which ends the list under way, too. Of several servers it stays with one as long as that answers.
func (a *agents) loop(alive context.Context, who *access, client *http.Client, number int) {
	defer a.seen.agents.Add(-1)
	defer client.CloseIdleConnections()
	server := number
	for turn := number; alive.Err() == nil; turn++ {
		next := time.Now().Add(a.every)
		answered, err := a.list(alive, who, client, who.servers[server%len(who.servers)], a.paths[turn%len(a.paths)])
		if err != nil {
			next = time.Now().Add(a.pause)
		}
		if !answered {
			server++
		}
		select {
		case <-alive.Done():
		case <-time.After(time.Until(next)):
		}
	}
}

// list is one list; whether the server answered at all, and what was wrong.
func (a *agents) list(alive context.Context, who *access, client *http.Client, server, path string) (bool, error) {
	request, err := who.request(http.MethodGet, server, path, "")
	if err != nil {
		return false, err
	}
	answer, err := client.Do(request.WithContext(alive))
	if err != nil {
		a.seen.failed.Add(1)
		return false, err
	}
	defer answer.Body.Close()
	read, err := io.Copy(io.Discard, answer.Body)
	a.seen.bytes.Add(read)
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		a.seen.throttled.Add(1)
		return true, errors.New(answer.Status)
	case answer.StatusCode == http.StatusUnauthorized:
		a.seen.unauthorized.Add(1)
		who.token.refused()
		return true, errors.New(answer.Status)
	case err != nil || answer.StatusCode != http.StatusOK:
		a.seen.failed.Add(1)
		return true, errors.New(answer.Status)
	}
	a.seen.ok.Add(1)
	return true, nil
}
