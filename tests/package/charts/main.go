// Renders packaging/helm with Helm's own engine, and decodes each manifest into Kubernetes' own types. A member that a
// type does not have is an error. Prints the manifests of each set of values as one JSON array on one line.
//
// usage: charts CHART VALUES...
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// What the chart may contain.
func empty(kind string) any {
	switch kind {
	case "ConfigMap":
		return &core.ConfigMap{}
	case "Deployment":
		return &apps.Deployment{}
	case "Ingress":
		return &networking.Ingress{}
	case "Job":
		return &batch.Job{}
	case "NetworkPolicy":
		return &networking.NetworkPolicy{}
	case "PodDisruptionBudget":
		return &policy.PodDisruptionBudget{}
	case "Service":
		return &core.Service{}
	case "ServiceMonitor":
		return &monitoring.ServiceMonitor{}
	case "StatefulSet":
		return &apps.StatefulSet{}
	}
	return nil
}

func render(loaded *chart.Chart, file string) ([]any, error) {
	values, err := chartutil.ReadValuesFile(file)
	if err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "try", Namespace: "default", IsInstall: true}
	all, err := chartutil.ToRenderValues(loaded, values, release, nil)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(loaded, all)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		names = append(names, name)
	}
	sort.Strings(names)
	manifests := []any{}
	for _, name := range names {
		for _, text := range strings.Split(rendered[name], "\n---\n") {
			if strings.TrimSpace(text) == "" || strings.HasSuffix(name, ".tpl") {
				continue
			}
			manifest, err := decode(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
			}
			if manifest != nil {
				manifests = append(manifests, manifest)
			}
		}
	}
	return manifests, nil
}

func decode(text string) (any, error) {
	var head *struct{ Kind string }
	if err := yaml.Unmarshal([]byte(text), &head); err != nil || head == nil {
		return nil, err
	}
	manifest := empty(head.Kind)
	if manifest == nil {
		return nil, fmt.Errorf("unknown kind %q", head.Kind)
	}
	return manifest, yaml.UnmarshalStrict([]byte(text), manifest)
}

func main() {
	loaded, err := loader.Load(os.Args[1])
	for _, file := range os.Args[2:] {
		if err != nil {
			break
		}
		var manifests []any
		if manifests, err = render(loaded, file); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(manifests)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
