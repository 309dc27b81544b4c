{{/* What values.schema.json cannot say: values that contradict each other. */}}
{{- define "chancery.checks" -}}
{{- $values := .Values -}}
{{- if .Chart.IsRoot -}}
{{- /* A parent chart hands down its own globals, and may have `enabled` as the condition of this one: the schema lets them pass. */ -}}
{{- range $key, $_ := omit $values.global "imagePullSecrets" "priorityClassName" "commonLabels" "logLevel" "rbac" "leaderElection" -}}
{{- fail (printf "global.%s: there is no such value; see README.md of the chart" $key) -}}
{{- end -}}
{{- if hasKey $values "enabled" -}}
{{- fail "enabled: there is no such value; it is the condition of a chart that this one is part of" -}}
{{- end -}}
{{- end -}}
{{- if and $values.watchNamespaces $values.excludeNamespaces -}}
{{- fail "watchNamespaces and excludeNamespaces: set one of them; with watchNamespaces no other namespace is served anyway" -}}
{{- end -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) -}}
{{- fail "serviceAccount.name: name the ServiceAccount to use, since serviceAccount.create is false" -}}
{{- end -}}
{{- if and (not $values.responder.serviceAccount.create) (not $values.responder.serviceAccount.name) $values.responder.enabled -}}
{{- fail "responder.serviceAccount.name: name the ServiceAccount to use, since responder.serviceAccount.create is false" -}}
{{- end -}}
{{- if and $values.responder.enabled (eq (include "chancery.controllerAccount" .) (include "chancery.responderAccount" .)) -}}
{{- fail "responder.serviceAccount.name: the responder needs another ServiceAccount than the controller, or it has the rights to every CA's key" -}}
{{- end -}}
{{- if and $values.tracing.enabled (not $values.tracing.endpoint) -}}
{{- fail "tracing.endpoint: say where traces go, such as http://otel-collector.monitoring:4318, or leave tracing.enabled false" -}}
{{- end -}}
{{- if and $values.prometheus.servicemonitor.enabled (not $values.prometheus.enabled) -}}
{{- fail "prometheus.servicemonitor.enabled: needs prometheus.enabled too, since it chooses the Services that this makes" -}}
{{- end -}}
{{- if and $values.responder.ingress.enabled (not $values.responder.enabled) -}}
{{- fail "responder.ingress.enabled: there is nothing behind it while responder.enabled is false" -}}
{{- end -}}
{{- if and $values.responder.ingress.enabled (not $values.responder.ingress.hosts) -}}
{{- fail "responder.ingress.hosts: name a host at least, such as pki.example.org" -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "chancery.fullname" .)) -}}
{{- fail (printf "fullnameOverride: set it, such as to chancery: the names of Services would begin with %q, and they take lower-case letters, digits and hyphens only, a letter first" (include "chancery.fullname" .)) -}}
{{- end -}}
{{- include "chancery.checkLabels" (list "global.commonLabels" $values.global.commonLabels) -}}
{{- include "chancery.checkLabels" (list "podLabels" $values.podLabels) -}}
{{- include "chancery.checkLabels" (list "responder.podLabels" $values.responder.podLabels) -}}
{{- include "chancery.checkBudget" (list "podDisruptionBudget" $values) -}}
{{- if $values.responder.enabled -}}
{{- include "chancery.checkBudget" (list "responder.podDisruptionBudget" $values.responder) -}}
{{- end -}}
{{- end -}}

{{- /* Deployments, Services, budgets and policies know their pods by these. */ -}}
{{- define "chancery.checkLabels" -}}
{{- $field := index . 0 -}}
{{- range $label := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- if hasKey (default dict (index $ 1)) $label -}}
{{- fail (printf "%s: %s is the chart's own, by which Deployments and Services know their pods; choose another label, or set nameOverride" $field $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "chancery.checkBudget" -}}
{{- $field := index . 0 -}}
{{- $settings := index . 1 -}}
{{- $budget := $settings.podDisruptionBudget -}}
{{- $least := $budget.minAvailable -}}
{{- if $budget.enabled -}}
{{- if and (not (kindIs "invalid" $least)) (not (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail (printf "%s: set minAvailable or maxUnavailable, not both" $field) -}}
{{- end -}}
{{- if not (kindIs "invalid" $least) -}}
{{- $stay := int $least -}}
{{- if kindIs "string" $least -}}
{{- /* Kubernetes rounds up. */ -}}
{{- $stay = div (add (mul (int (trimSuffix "%" $least)) (int $settings.replicaCount)) 99) 100 | int -}}
{{- end -}}
{{- if ge $stay (int $settings.replicaCount) -}}
{{- fail (printf "%s.minAvailable: %d of %d replicas must stay, so no node with one of them could ever be drained; raise replicaCount or lower it" $field $stay (int $settings.replicaCount)) -}}
{{- end -}}
{{- end -}}
{{- if and (not (kindIs "invalid" $budget.maxUnavailable)) (regexMatch "^0+%?$" (toString $budget.maxUnavailable)) -}}
{{- fail (printf "%s.maxUnavailable: with %v no replica may go, so no node with one of them could ever be drained; set 1 or more" $field $budget.maxUnavailable) -}}
{{- end -}}
{{- end -}}
{{- end -}}
