package main

import (
	"os"
	"strings"
	"sync/atomic"
)

// token is a bearer token as a client knows it: what its file said last.
type token struct {
	file string
	last atomic.Value
}

func readToken(file string) (*token, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	one := &token{file: file}
	one.last.Store(strings.TrimSpace(string(text)))
	return one, nil
}

func (t *token) text() string { return t.last.Load().(string) }

// refused reads the file again, which a kubelet keeps fresh as long as it can. Without it, the old token has to do.
func (t *token) refused() {
	if t == nil {
		return
	}
	if text, err := os.ReadFile(t.file); err == nil {
		t.last.Store(strings.TrimSpace(string(text)))
	}
}
