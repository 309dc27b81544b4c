kubectl apply --server-side --force-conflicts -k deploy/samples >/dev/null
umask 077
openssl req -x509 -newkey rsa:2048 -nodes -keyout own.key -out own.crt -days 900 -subj "/CN=Their own CA" -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign 2>/dev/null
kubectl create namespace tenant
kubectl -n tenant create secret tls own-ca --cert=own.crt --key=own.key
kubectl -n tenant create secret generic store-password --from-literal=password=long-enough
kubectl apply -f - <<EOF
apiVersion: chancery.dev/v1alpha1
kind: Issuer
metadata: {name: own, namespace: tenant}
spec: {ca: {secretName: own-ca}}
---
apiVersion: chancery.dev/v1alpha1
kind: RevocationList
metadata: {name: own, namespace: tenant}
spec: {issuerRef: {name: own}, grace: 0s, distribution: {baseURL: "http://chancery-responder.chancery-system.svc"}}
---
apiVersion: chancery.dev/v1alpha1
kind: Certificate
metadata: {name: shop, namespace: tenant}
spec:
  secretName: shop-tls
  dnsNames: [shop.example.com]
  issuerRef: {name: own}
  keystores: {pkcs12: {create: true, passwordSecretRef: {name: store-password, key: password}}}
---
apiVersion: chancery.dev/v1alpha1
kind: Certificate
metadata: {name: gone, namespace: tenant}
spec: {secretName: gone-tls, dnsNames: [gone.example.com], issuerRef: {name: own}}
EOF
kubectl -n tenant wait --for=condition=Ready crl,ccert --all --timeout=60s
kubectl -n chancery-samples wait --for=condition=Ready ccert --all --timeout=60s
kubectl -n chancery-system wait --for=condition=Ready crl,ccert --all --timeout=60s
gone=$(kubectl -n tenant get ccert gone -o jsonpath='{.status.serialNumber}')
kubectl chancery revoke gone -n tenant --reason keyCompromise --yes
until kubectl -n tenant get crl own -o jsonpath='{.status.entries}' | grep -qx 1; do sleep 1; done
until [ "$(kubectl -n tenant get ccert gone -o jsonpath='{.status.serialNumber}')" != "$gone" ]; do sleep 1; done
kubectl -n tenant wait --for=condition=Ready ccert --all --timeout=60s
