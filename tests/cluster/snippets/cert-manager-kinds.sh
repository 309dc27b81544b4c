# cert-manager's kinds. They let anything in.
definition() { # KIND PLURAL SCOPE
  cat <<EOF
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: $2.cert-manager.io}
spec:
  group: cert-manager.io
  scope: $3
  names: {kind: $1, plural: $2, singular: $(echo "$1" | tr '[:upper:]' '[:lower:]')}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
EOF
}
{ definition Certificate certificates Namespaced; definition Issuer issuers Namespaced; definition ClusterIssuer clusterissuers Cluster; } | kubectl apply -f - >/dev/null
kubectl wait --for=condition=Established crd/certificates.cert-manager.io crd/issuers.cert-manager.io crd/clusterissuers.cert-manager.io --timeout=30s >/dev/null
# Known is a moment after established.
until kubectl get certificates.cert-manager.io,issuers.cert-manager.io,clusterissuers.cert-manager.io -A >/dev/null 2>&1; do sleep 1; done
