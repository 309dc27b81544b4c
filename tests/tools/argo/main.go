// argo says what Argo CD makes of objects, by Argo CD's own code: its Lua machine, its health checks, its comparison.
//
//	argo health CONFIGMAP   reads a JSON array of objects and writes an array with the status and message of each, as an
//	                        Argo CD with this argocd-cm has them; the status is empty where Argo CD has no opinion.
//	argo diff               reads a JSON array of {"wanted", "live"} and writes an array of what would be changed in each
//	                        live object by a sync: an empty text where Argo CD shows it as Synced.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

// What the key of a health check in argocd-cm begins with; group and kind follow, with an underscore between them.
const prefix = "resource.customizations.health."

func main() {
	answer, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "argo:", err)
		os.Exit(1)
	}
}

func run(arguments []string) (any, error) {
	switch {
	case len(arguments) == 2 && arguments[0] == "health":
		return healths(arguments[1])
	case len(arguments) == 1 && arguments[0] == "diff":
		return diffs()
	default:
		return nil, errors.New("usage: argo health CONFIGMAP, or argo diff; objects on standard input")
	}
}

func healths(configMap string) ([]health.HealthStatus, error) {
	scripts, err := read(configMap)
	if err != nil {
		return nil, err
	}
	var objects []unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return nil, err
	}
	found := make([]health.HealthStatus, len(objects))
	for i := range objects {
		status, err := health.GetResourceHealth(&objects[i], scripts)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", objects[i].GetKind(), objects[i].GetName(), err)
		}
		if status != nil {
			found[i] = *status
		}
	}
	return found, nil
}

// read makes of argocd-cm what Argo CD's settings make of it: a script for each group and kind.
func read(path string) (lua.ResourceHealthOverrides, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(text, &configMap); err != nil {
		return nil, err
	}
	scripts := lua.ResourceHealthOverrides{}
	for key, script := range configMap.Data {
		if name, is := strings.CutPrefix(key, prefix); is {
			group, kind, found := strings.Cut(name, "_")
			if !found {
				return nil, fmt.Errorf("%s: no group and kind", key)
			}
			scripts[group+"/"+kind] = v1alpha1.ResourceOverride{HealthLua: script}
		}
	}
	if len(scripts) == 0 {
		return nil, fmt.Errorf("%s has no health check", path)
	}
	return scripts, nil
}

func diffs() ([]string, error) {
	var pairs []struct {
		Wanted, Live unstructured.Unstructured
	}
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		return nil, err
	}
	found := make([]string, len(pairs))
	for i := range pairs {
		result, err := diff.Diff(&pairs[i].Wanted, &pairs[i].Live)
		if err != nil {
			return nil, err
		}
		if result.Modified {
			found[i] = fmt.Sprintf("%s becomes %s", bytes.TrimSpace(result.NormalizedLive), bytes.TrimSpace(result.PredictedLive))
		}
	}
	return found, nil
}
