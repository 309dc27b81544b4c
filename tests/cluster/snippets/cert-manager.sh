# What the page about moving takes for granted besides cert-manager's kinds: a ClusterIssuer with its CA, a Certificate in
# namespace shop, and their Secrets as cert-manager writes them. Its controller is a Deployment without a pod.
umask 077
mkdir -p made
openssl req -x509 -newkey rsa:2048 -nodes -keyout made/ca.key -out made/ca.crt -days 90 -subj "/CN=Internal CA" -addext keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout made/web.key -out made/web.csr -subj "/CN=web.shop.example.com" 2>/dev/null
printf '%s\n' subjectAltName=DNS:web.shop.example.com keyUsage=critical,digitalSignature,keyEncipherment basicConstraints=critical,CA:FALSE > made/web.ext
openssl x509 -req -in made/web.csr -CA made/ca.crt -CAkey made/ca.key -CAcreateserial -days 90 -extfile made/web.ext -out made/web.crt 2>/dev/null
kubectl create namespace cert-manager >/dev/null
kubectl create namespace shop >/dev/null
kubectl apply -f - >/dev/null <<EOF
apiVersion: apps/v1
kind: Deployment
metadata: {name: cert-manager, namespace: cert-manager}
spec:
  selector: {matchLabels: {app: cert-manager}}
  template:
    metadata: {labels: {app: cert-manager}}
    spec: {containers: [{name: controller, image: quay.io/jetstack/cert-manager-controller}]}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: internal-self-signed}
spec: {selfSigned: {}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: root-ca, namespace: cert-manager}
spec:
  secretName: root-ca
  isCA: true
  commonName: Internal CA
  privateKey: {algorithm: RSA, size: 2048}
  issuerRef: {name: internal-self-signed, kind: ClusterIssuer}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: internal}
spec: {ca: {secretName: root-ca}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: web, namespace: shop}
spec:
  secretName: web-tls
  commonName: web.shop.example.com
  dnsNames: [web.shop.example.com]
  issuerRef: {name: internal, kind: ClusterIssuer}
status: {renewalTime: "2030-01-01T00:00:00Z"}
EOF
secret() { # NAMESPACE NAME CERTIFICATE ISSUER
  kubectl -n "$1" create secret generic "$2" --type=kubernetes.io/tls --from-file=tls.crt="made/$3.crt" --from-file=tls.key="made/$3.key" --from-file=ca.crt=made/ca.crt >/dev/null
  kubectl -n "$1" annotate secret "$2" cert-manager.io/certificate-name="$5" cert-manager.io/issuer-name="$4" cert-manager.io/issuer-kind=ClusterIssuer cert-manager.io/issuer-group=cert-manager.io >/dev/null
}
secret cert-manager root-ca ca internal-self-signed root-ca
secret shop web-tls web internal web
kubectl -n shop get certificates.cert-manager.io web -o json | jq 'del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.generation)' > shop-cert-manager.yaml
