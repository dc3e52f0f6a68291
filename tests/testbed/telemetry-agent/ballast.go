package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// object is one thing to create: where, and as what.
type object struct{ path, body string }

func ballast(arguments []string) error {
	set := flag.NewFlagSet("ballast", flag.ContinueOnError)
	who := accessFlags(set)
	pods := set.Int("pods", 0, "pods of about 10 KB each, pending for ever")
	configMaps := set.Int("configmaps", 0, "configmaps of 4 KB each")
	daemonSets := set.Int("daemonsets", 0, "daemonsets that select no node")
	if err := set.Parse(arguments); err != nil {
		return err
	}
	user, err := who()
	if err != nil {
		return err
	}
	return user.createAll(objects(*pods, *configMaps, *daemonSets))
}

func objects(pods, configMaps, daemonSets int) []object {
	var all []object
	for i := range pods {
		all = append(all, object{"/api/v1/namespaces/default/pods", pod(fmt.Sprintf("ballast-%d", i))})
	}
	filling := strings.Repeat("x", 4000)
	for i := range configMaps {
		all = append(all, object{"/api/v1/namespaces/default/configmaps", fmt.Sprintf(
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"ballast-%d"},"data":{"filling":"%s"}}`, i, filling)})
	}
	for i := range daemonSets {
		all = append(all, object{"/apis/apps/v1/namespaces/default/daemonsets", daemonSet(fmt.Sprintf("bystander-%d", i))})
	}
	return all
}

// pod names a scheduler that does not exist: a pod bound to a missing node would be collected as garbage.
func pod(name string) string {
	var variables []string
	for i := range 60 {
		variables = append(variables, fmt.Sprintf(`{"name":"SETTING_%d","value":"%s"}`, i, strings.Repeat("v", 60)))
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%s","labels":{"app":"ballast"}},"spec":{"schedulerName":"nobody","containers":[`+
		`{"name":"main","image":"none.invalid/none:1","env":[%s]}]}}`, name, strings.Join(variables, ","))
}

func daemonSet(name string) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"%[1]s"},"spec":{"selector":{"matchLabels":{"app":"%[1]s"}},"template":`+
		`{"metadata":{"labels":{"app":"%[1]s"}},"spec":{"nodeSelector":{"none":"none"},"containers":[{"name":"main","image":"none.invalid/none:1"}]}}}}`, name)
}

// createAll creates the objects with 16 workers; what exists already is fine, and a busy server is asked again.
func (a *access) createAll(all []object) error {
	queue := make(chan object)
	failures := make(chan error, len(all))
	var workers sync.WaitGroup
	for range 16 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			client := a.client(nil, false, 60*time.Second)
			for one := range queue {
				if err := a.create(client, one); err != nil {
					failures <- err
				}
			}
		}()
	}
	for _, one := range all {
		queue <- one
	}
	close(queue)
	workers.Wait()
	close(failures)
	return <-failures // nil where nothing failed
}

func (a *access) create(client *http.Client, one object) error {
	var last error
	for range 20 {
		request, err := a.request(http.MethodPost, a.servers[0], one.path, one.body)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err == nil {
			text, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusCreated || answer.StatusCode == http.StatusConflict {
				return nil
			}
			err = errors.New(answer.Status + ": " + string(text))
		}
		last = err
		time.Sleep(500 * time.Millisecond)
	}
	return fmt.Errorf("POST %s: 20 tries: %w", one.path, last)
}
