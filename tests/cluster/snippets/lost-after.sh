kubectl -n tenant wait --for=condition=Ready crl,ccert --all --timeout=60s
kubectl -n chancery-samples wait --for=condition=Ready ccert --all --timeout=60s
kubectl -n chancery-system wait --for=condition=Ready crl,ccert --all --timeout=60s
# What each saved file had is there again, and Helm knows of one release.
for file in objects.json secrets.json registers.json checkpoint.json; do kubectl get -f $file -o name >/dev/null; done
[ "$(kubectl get secrets -A --field-selector type=helm.sh/release.v1 -o name | wc -l)" = 1 ]
# The list goes on: a certificate that was revoked before is on it, and one that is revoked now.
shop=$(kubectl -n tenant get ccert shop -o jsonpath='{.status.serialNumber}')
kubectl chancery revoke shop -n tenant --reason keyCompromise --yes
until kubectl -n tenant get crl own -o jsonpath='{.status.entries}' | grep -qx 2; do sleep 1; done
kubectl chancery crl fetch RevocationList/tenant/own -f own.crl
for serial in "$gone" "$shop"; do openssl crl -in own.crl -noout -text | grep -iq "$serial"; done
kubectl chancery register verify
