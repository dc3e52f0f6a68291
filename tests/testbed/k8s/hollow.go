package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	_ "unsafe" // for go:linkname

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"k8s.io/component-base/metrics"
	_ "k8s.io/component-base/metrics/legacyregistry"
	kubemark "k8s.io/kubernetes/cmd/kubemark/app"
)

// hollowNodes runs many kubemark nodes in one process: a process for each would cost 120 MiB and a second of start.
// Every file FOLDER/NAME.kubeconfig is one node, with connections and an identity of its own.
func hollowNodes() *cobra.Command {
	command := &cobra.Command{Use: "hollow-nodes FOLDER FIRST-PORT", Args: cobra.ExactArgs(2), SilenceUsage: true}
	command.RunE = func(_ *cobra.Command, arguments []string) error {
		port, err := strconv.Atoi(arguments[1])
		if err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join(arguments[0], "*.kubeconfig"))
		if err != nil || len(files) == 0 {
			return fmt.Errorf("no *.kubeconfig in %s: %w", arguments[0], err)
		}
		forgetCollectors()
		ended := make(chan error)
		for number, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".kubeconfig")
			node := kubemark.NewHollowNodeCommand()
			node.SetArgs([]string{"--morph=kubelet", "--use-host-image-service=false", "--name=" + name, "--kubeconfig=" + file,
				"--kubelet-port=" + strconv.Itoa(port+number), "--kubelet-read-only-port=0"})
			go func() { ended <- node.Execute() }()
			// The kubelet sets process-wide values while it starts, so the nodes start one after another.
			time.Sleep(50 * time.Millisecond)
		}
		return fmt.Errorf("a hollow node ended: %w", <-ended)
	}
	return command
}

// The kubelet registers its own collectors with process-wide registries and panics when a second one does the same.
// Nobody reads the metrics of a hollow node, so both registries are told to ignore collectors.

//go:linkname kubernetesRegistry k8s.io/component-base/metrics/legacyregistry.defaultRegistry
var kubernetesRegistry metrics.KubeRegistry

type forgetful struct{ metrics.KubeRegistry }

func (forgetful) CustomMustRegister(...metrics.StableCollector) {}

func forgetCollectors() {
	kubernetesRegistry = forgetful{kubernetesRegistry}
	prometheus.DefaultRegisterer = lenient{prometheus.DefaultRegisterer}
}

type lenient struct{ prometheus.Registerer }

func (lenient) MustRegister(...prometheus.Collector) {}
