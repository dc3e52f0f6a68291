// The storm: a telemetry service of which every node runs an agent that lists and re-lists the whole cluster,
// as on 2024-12-11, and the ballast that makes such a list expensive. The standard library only: it is built
// apart from Kubernetes, so a change here never costs the long build.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const usage = `usage: telemetry-agent storm|ballast|addresses FLAGS
  storm      runs the agents of every pod that its node's kubelet runs
  ballast    creates the objects that make a list expensive
  addresses  gives each hollow node an address of its own
`

// access is how a client reaches the API: addresses, trust and who it is.
type access struct {
	servers   []string
	roots     *x509.CertPool
	pair      []tls.Certificate
	token     *token
	userAgent string
}

func accessFlags(set *flag.FlagSet) func() (*access, error) {
	servers := set.String("servers", "", "API servers, comma separated, each https://IP:PORT")
	ca := set.String("ca", "", "file with the API's CA certificate")
	cert := set.String("cert", "", "file with a client certificate")
	key := set.String("key", "", "file with the client certificate's key")
	tokenFile := set.String("token", "", "file with a bearer token")
	agent := set.String("user-agent", "telemetry-agent/v1.2", "user agent of each request")
	return func() (*access, error) {
		roots, pair, err := trust(*ca, *cert, *key)
		if err != nil {
			return nil, err
		}
		who := &access{strings.Split(*servers, ","), roots, pair, nil, *agent}
		if *tokenFile != "" {
			if who.token, err = readToken(*tokenFile); err != nil {
				return nil, err
			}
		}
		return who, nil
	}
}

// trust reads a CA file and, where given, a client certificate.
func trust(ca, cert, key string) (*x509.CertPool, []tls.Certificate, error) {
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, nil, fmt.Errorf("%s holds no certificate", ca)
	}
	if cert == "" {
		return roots, nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	return roots, []tls.Certificate{pair}, err
}

// client has connections of its own, from the given source address (nil: any).
func (a *access) client(source net.IP, newConnectionEach bool, timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: timeout}
	if source != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: source}
	}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{
		DialContext:        dialer.DialContext,
		TLSClientConfig:    &tls.Config{RootCAs: a.roots, Certificates: a.pair},
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
		DisableKeepAlives:  newConnectionEach,
	}}
}

func (a *access) request(method, server, path string, body string) (*http.Request, error) {
	request, err := http.NewRequest(method, server+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", a.userAgent)
	request.Header.Set("Accept", "application/json")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if a.token != nil {
		request.Header.Set("Authorization", "Bearer "+a.token.text())
	}
	return request, nil
}

func main() {
	err := errors.New(usage)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "storm":
			err = storm(os.Args[2:])
		case "ballast":
			err = ballast(os.Args[2:])
		case "addresses":
			err = addresses(os.Args[2:])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "telemetry-agent:", err)
		os.Exit(1)
	}
}
