# What the page about a leaked key takes for granted besides the samples: a program that has read Secret web-tls, and the certificate
# that was in it, which names its list.
kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: chancery-samples}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "localhost/chancery-tests/probe:1", args: [serve, /tls], volumeMounts: [{name: tls, mountPath: /tls}]}]
      volumes: [{name: tls, secret: {secretName: web-tls}}]
EOF
names_its_list() {
  kubectl -n chancery-samples get secret web-tls -o jsonpath='{.data.tls\.crt}' | base64 -d > old.crt
  openssl x509 -in old.crt -noout -text | grep -q 'CRL Distribution'
}
names_its_list || { kubectl chancery renew web -n chancery-samples --wait; names_its_list; }
