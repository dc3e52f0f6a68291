package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// node is one hollow node. Its kubelet says which pods it runs, as the container runtime of a real one would. It hears
// only from the API server that a pod has ended: a node that is cut off from it goes on with a pod that is long gone.
type node struct {
	address net.IP
	kubelet string
	client  *http.Client
}

func parseNodes(text string) ([]node, error) {
	var all []node
	for _, one := range strings.Split(text, ",") {
		address, kubelet, found := strings.Cut(one, "=")
		ip := net.ParseIP(address)
		if !found || ip == nil {
			return nil, fmt.Errorf("%q is not ADDRESS=KUBELET", one)
		}
		all = append(all, node{ip, kubelet, &http.Client{Timeout: 5 * time.Second}})
	}
	return all, nil
}

// pods gives the unique ids of the pods whose containers run.
func (n *node) pods(namespace string) (map[string]bool, error) {
	answer, err := n.client.Get("http://" + n.kubelet + "/runningpods/")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, UID string }
			Spec     struct{ Containers []struct{ Name string } }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return nil, err
	}
	running := map[string]bool{}
	for _, pod := range list.Items {
		if pod.Metadata.Namespace == namespace && len(pod.Spec.Containers) > 0 {
			running[pod.Metadata.UID] = true
		}
	}
	return running, nil
}

// podToken is the one that the kubelet has put into the pod's volume; it starts no container before that. Pods that are known
// by their client certificate have none.
func podToken(volumes, pod string) (*token, error) {
	if volumes == "" {
		return nil, nil
	}
	pattern := strings.ReplaceAll(volumes, "{pod}", pod)
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 {
		return nil, fmt.Errorf("%d tokens at %s", len(files), pattern)
	}
	return readToken(files[0])
}

// follow keeps the agents of exactly those pods running that the node's kubelet runs, each with its pod's own token.
// While a kubelet doesn't answer, everything stays as it is: containers outlive their kubelet.
func (a *agents) follow(on node, namespace, volumes string) {
	running := map[string]context.CancelFunc{}
	for ; ; time.Sleep(time.Second) {
		pods, err := on.pods(namespace)
		if err != nil {
			fmt.Fprintln(os.Stderr, "telemetry-agent: kubelet", on.kubelet+":", err)
			continue
		}
		for pod := range pods {
			if running[pod] != nil {
				continue
			}
			own, err := podToken(volumes, pod)
			if err != nil {
				fmt.Fprintln(os.Stderr, "telemetry-agent:", err)
				continue
			}
			alive, end := context.WithCancel(context.Background())
			who := *a.who
			who.token = own
			a.start(alive, &who, on.address)
			running[pod] = end
			a.seen.pods.Add(1)
		}
		for pod, end := range running {
			if !pods[pod] {
				end()
				delete(running, pod)
				a.seen.pods.Add(-1)
			}
		}
	}
}
