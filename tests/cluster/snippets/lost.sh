# What is left is a kubectl that works again, what was saved, and the chart. Nobody is there to release the finalizers.
kubectl delete namespace chancery-system --timeout=120s
kubectl get ccert -A -o json | jq -r '.items[] | [.metadata.namespace, .metadata.name] | @tsv' | while IFS=$'\t' read -r namespace name; do
  kubectl -n "$namespace" patch ccert "$name" --type merge --patch '{"metadata": {"finalizers": null}}' </dev/null
done
kubectl delete namespace tenant chancery-samples --timeout=120s
kubectl delete -f crds/ --timeout=60s
kubectl get clusterrole,clusterrolebinding,flowschema -l app.kubernetes.io/part-of=chancery -o name | xargs -r kubectl delete
