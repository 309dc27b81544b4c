// health says what Flux and Helm make of objects: by kstatus, the library that they and others use, and by the
// healthCheckExprs of a Kustomization, by Flux's own code.
//
// health FILE reads a JSON array of objects from its standard input and writes a JSON array with what each is: "kstatus"
// and "expression", either of which is Current, InProgress, Failed or Terminating, and "message" of kstatus. The expression
// is empty where the Kustomizations of the YAML file have none for the kind.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type verdict struct {
	Kstatus    string `json:"kstatus"`
	Message    string `json:"message"`
	Expression string `json:"expression"`
}

func main() {
	found, err := run(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(1)
	}
}

func run(arguments []string) ([]verdict, error) {
	if len(arguments) != 1 {
		return nil, errors.New("usage: health FILE < objects.json")
	}
	expressions, err := read(arguments[0])
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	var list unstructured.UnstructuredList
	// Numbers are whole ones only in the decoder of Kubernetes' own objects.
	if err := list.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"List","items":` + string(text) + `}`)); err != nil {
		return nil, err
	}
	found := make([]verdict, len(list.Items))
	for i := range list.Items {
		object := &list.Items[i]
		result, err := status.Compute(object)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		found[i] = verdict{Kstatus: result.Status.String(), Message: result.Message}
		group, _, _ := strings.Cut(object.GetAPIVersion(), "/")
		if evaluator, known := expressions[group+"/"+object.GetKind()]; known {
			result, err := evaluator.Evaluate(context.Background(), object)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
			}
			found[i].Expression = result.Status.String()
		}
	}
	return found, nil
}

// read compiles the expressions of all Kustomizations in a file, by group and kind.
func read(path string) (map[string]*cel.StatusEvaluator, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	evaluators := map[string]*cel.StatusEvaluator{}
	for decoder := yaml.NewYAMLOrJSONDecoder(file, 4096); ; {
		var kustomization struct {
			Spec struct {
				HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if err := decoder.Decode(&kustomization); errors.Is(err, io.EOF) {
			return evaluators, nil
		} else if err != nil {
			return nil, err
		}
		for _, check := range kustomization.Spec.HealthCheckExprs {
			evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", check.Kind, err)
			}
			group, _, _ := strings.Cut(check.APIVersion, "/")
			evaluators[group+"/"+check.Kind] = evaluator
		}
	}
}
