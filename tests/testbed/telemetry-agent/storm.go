package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// counts is what the agents have seen so far; it goes to stdout once a second as one JSON line.
type counts struct {
	agents, ok, throttled, failed, bytes atomic.Int64
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
	started int
}

func storm(arguments []string) error {
	set := flag.NewFlagSet("storm", flag.ContinueOnError)
	who := accessFlags(set)
	perPod := set.Int("per-pod", 1, "collectors that one pod runs, each with a connection of its own")
	sources := set.String("nodes", "", "NAME=ADDRESS of each node, comma separated: its pod's agents speak from there")
	paths := set.String("paths", "/api/v1/pods", "lists that a collector loops over, separated by spaces")
	newEach := set.Bool("new-connection-each", false, "HTTP/1.1 and a new connection for each request")
	pause := set.Duration("pause", 100*time.Millisecond, "pause after an error or a 429; none after an answer")
	every := set.Duration("every", 0, "time from one answered list of a collector to its next; 0: as soon as it can")
	timeout := set.Duration("timeout", 60*time.Second, "time limit of one request")
	pods := pods{}
	set.StringVar(&pods.endpoints, "etcd", "", "etcd members asked which pods exist: the API may be drowning; none: one pod, for ever")
	set.StringVar(&pods.prefix, "pods", "", "etcd key prefix of the DaemonSet's pods")
	etcdCA := set.String("etcd-ca", "", "file with etcd's CA certificate")
	etcdCert := set.String("etcd-cert", "", "file with a client certificate for etcd")
	etcdKey := set.String("etcd-key", "", "file with that certificate's key")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	user, err := who()
	if err != nil {
		return err
	}
	run := &agents{who: user, perPod: *perPod, paths: strings.Fields(*paths), newEach: *newEach, pause: *pause, every: *every, timeout: *timeout}
	if pods.endpoints == "" {
		run.start(nil, nil)
		select {}
	}
	roots, pair, err := trust(*etcdCA, *etcdCert, *etcdKey)
	if err != nil {
		return err
	}
	pods.client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: pair}}}
	pods.nodes = map[string]net.IP{}
	for _, node := range strings.Split(*sources, ",") {
		name, address, _ := strings.Cut(node, "=")
		pods.nodes[name] = net.ParseIP(address)
	}
	return run.follow(&pods)
}

// follow keeps the agents of exactly those pods running that exist, as the kubelet of a real node would.
func (a *agents) follow(pods *pods) error {
	running := map[string]chan struct{}{}
	for ; ; time.Sleep(time.Second) {
		names, err := pods.list()
		if err != nil {
			fmt.Fprintln(os.Stderr, "telemetry-agent: etcd:", err)
			continue
		}
		for name, source := range names {
			if _, there := running[name]; !there {
				running[name] = make(chan struct{})
				a.start(source, running[name])
			}
		}
		for name, stop := range running {
			if _, there := names[name]; !there {
				close(stop)
				delete(running, name)
			}
		}
		fmt.Printf(`{"pods":%d,"agents":%d,"ok":%d,"throttled":%d,"failed":%d,"bytes":%d}`+"\n", len(running),
			a.seen.agents.Load(), a.seen.ok.Load(), a.seen.throttled.Load(), a.seen.failed.Load(), a.seen.bytes.Load())
	}
}

func (a *agents) start(source net.IP, stop <-chan struct{}) {
	for range a.perPod {
		number := a.started
		a.started++
		client := a.who.client(source, a.newEach, a.timeout)
		server := a.who.servers[number%len(a.who.servers)]
		go a.loop(client, server, number, stop)
	}
}

// loop is one collector: it lists, reads the answer to its end and lists again, at once or in its rhythm, until its pod is gone.
func (a *agents) loop(client *http.Client, server string, number int, stop <-chan struct{}) {
	a.seen.agents.Add(1)
	defer a.seen.agents.Add(-1)
	for turn := number; ; turn++ {
		select {
		case <-stop:
			client.CloseIdleConnections()
			return
		default:
		}
		next := time.Now().Add(a.every)
		if a.list(client, server, a.paths[turn%len(a.paths)]) != nil {
			next = time.Now().Add(a.pause)
		}
		time.Sleep(time.Until(next))
	}
}

func (a *agents) list(client *http.Client, server, path string) error {
	request, err := a.who.request(http.MethodGet, server, path, "")
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		a.seen.failed.Add(1)
		return err
	}
	defer answer.Body.Close()
	read, err := io.Copy(io.Discard, answer.Body)
	a.seen.bytes.Add(read)
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		a.seen.throttled.Add(1)
		return errors.New(answer.Status)
	case err != nil || answer.StatusCode != http.StatusOK:
		a.seen.failed.Add(1)
		return errors.New(answer.Status)
	}
	a.seen.ok.Add(1)
	return nil
}

// pods asks etcd, not the API, which pods there are, and on which node.
type pods struct {
	endpoints, prefix string
	client            *http.Client
	nodes             map[string]net.IP
}

// list gives the address of each pod's node, by the pod's key.
func (p *pods) list() (map[string]net.IP, error) {
	end := []byte(p.prefix)
	end[len(end)-1]++
	body, err := json.Marshal(map[string]any{
		"key":          base64.StdEncoding.EncodeToString([]byte(p.prefix)),
		"range_end":    base64.StdEncoding.EncodeToString(end),
		"serializable": true,
	})
	if err != nil {
		return nil, err
	}
	for _, endpoint := range strings.Split(p.endpoints, ",") {
		var names map[string]net.IP
		if names, err = p.ask(endpoint, body); err == nil {
			return names, nil
		}
	}
	return nil, err
}

func (p *pods) ask(endpoint string, body []byte) (map[string]net.IP, error) {
	answer, err := p.client.Post(endpoint+"/v3/kv/range", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	var found struct{ Kvs []struct{ Key, Value []byte } }
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		return nil, err
	}
	names := map[string]net.IP{}
	for _, pair := range found.Kvs {
		names[string(pair.Key)] = p.address(pair.Value)
	}
	return names, nil
}

// nodeName is how a DaemonSet's pod names its node in etcd's protobuf: as a string between bytes that are no part of a name.
var nodeName = regexp.MustCompile(`[a-z0-9][a-z0-9-]*-[0-9]+`)

func (p *pods) address(pod []byte) net.IP {
	for _, name := range nodeName.FindAll(pod, -1) {
		if address, known := p.nodes[string(name)]; known {
			return address
		}
	}
	return nil
}
