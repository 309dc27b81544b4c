{{/* What values.schema.json cannot say: values that contradict each other. */}}
{{- define "chancery.checks" -}}
{{- $values := .Values -}}
{{- if .Chart.IsRoot -}}
{{- /* A parent chart hands down its own globals, and may have `enabled` as the condition of this one: the schema lets them pass. */ -}}
{{- range $key, $_ := omit $values.global "imagePullSecrets" "priorityClassName" "hostUsers" "commonLabels" "logLevel" "rbac" "leaderElection" -}}
{{- fail (printf "global.%s: there is no such value; see README.md of the chart" $key) -}}
{{- end -}}
{{- if hasKey $values "enabled" -}}
{{- fail "enabled: there is no such value; it is the condition of a chart that this one is part of" -}}
{{- end -}}
{{- end -}}
{{- /* The bounds of the program, which would not start. */ -}}
{{- $lease := toString $values.global.leaderElection.leaseDuration -}}
{{- $seconds := include "chancery.seconds" $lease | float64 -}}
{{- if or (lt $seconds 1.0) (gt $seconds 3600.0) (ne $seconds (floor $seconds)) -}}
{{- fail (printf "global.leaderElection.leaseDuration: %s is not a whole number of seconds from 1 to 3600; write it as 15s or 1m30s" $lease) -}}
{{- end -}}
{{- /* A comma within a span's fields is left to the program. */ -}}
{{- range $directive := splitList "," (regexReplaceAll "[{][^}]*[}]" (toString $values.global.logLevel) "") | compact -}}
{{- $span := "\\[[A-Za-z0-9_-]*\\]" -}}
{{- $target := printf "([A-Za-z0-9_:-]+(%s)?|%s)=" $span $span -}}
{{- if not (regexMatch (printf "^((%s)?((?i)error|warn|info|debug|trace|off|[0-5])|[A-Za-z_][A-Za-z0-9_:-]*)$" $target) $directive) -}}
{{- fail (printf "global.logLevel: %q is no directive; write a level (error, warn, info, debug, trace, off), or a target and its level, as in chancery::lease=debug" $directive) -}}
{{- end -}}
{{- end -}}
{{- with $values.checkpointInterval -}}
{{- $seconds := include "chancery.seconds" . | float64 -}}
{{- if or (and (gt $seconds 0.0) (lt $seconds 1.0)) (gt $seconds 9223372036.0) -}}
{{- fail (printf "checkpointInterval: %s is not 1s or more, up to 2562047h; 0s is for no checkpoints" .) -}}
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
{{- range $field := list "global.commonLabels" "podLabels" "serviceLabels" "serviceAccount.labels" "responder.podLabels" "responder.serviceLabels" "responder.serviceAccount.labels" "responder.service.labels" "responder.ingress.labels" "prometheus.servicemonitor.labels" "prometheus.rules.labels" "prometheus.dashboard.labels" -}}
{{- $labels := $values -}}
{{- range splitList "." $field -}}{{- $labels = get $labels . | default dict -}}{{- end -}}
{{- include "chancery.checkLabels" (list $field $labels) -}}
{{- end -}}
{{- range $name := list "namespace" "job" "pod" "instance" "name" "controller" "authority" "issuer" "issuer_kind" "issuer_namespace" "operator_namespace" "queue" "resource" "route" "verb" "le" -}}
{{- if hasKey $values.prometheus.rules.additionalRuleLabels $name -}}
{{- fail (printf "prometheus.rules.additionalRuleLabels: %s says what an alert is about; choose another label" $name) -}}
{{- end -}}
{{- end -}}
{{- include "chancery.checkPods" (list "" "controller" $values) -}}
{{- include "chancery.checkMonitor" $values.prometheus.servicemonitor -}}
{{- if kindIs "invalid" $values.replicaCount -}}
{{- fail "replicaCount: say how many; only the responder's may be null, for a HorizontalPodAutoscaler, since of controllers one works and the others stand by" -}}
{{- end -}}
{{- if $values.responder.enabled -}}
{{- include "chancery.checkPods" (list "responder." "responder" $values.responder) -}}
{{- include "chancery.checkService" $values.responder.service -}}
{{- $grace := default 30 $values.responder.terminationGracePeriodSeconds | int -}}
{{- $pause := int $values.responder.preStopSeconds -}}
{{- if gt (int (add $pause 5)) $grace -}}
{{- fail (printf "responder.preStopSeconds: of terminationGracePeriodSeconds (%d) at least 5 have to be left, to answer what was asked; raise that to %d, or lower this" $grace (int (add $pause 5))) -}}
{{- end -}}
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

{{- /* What Deployments of ours pass themselves, and with what to set it; empty where it cannot be set. */ -}}
{{- define "chancery.flags" -}}
cluster-resource-namespace: clusterResourceNamespace
watch-namespace: watchNamespaces
exclude-namespace: excludeNamespaces
lease-name: fullnameOverride
lease-duration: global.leaderElection.leaseDuration
metrics-certificates: metricsCertificates
checkpoint-interval: checkpointInterval
signatures-per-second: responder.signaturesPerSecond
kept-answers: responder.keptAnswers
log-format: logging.format
log-level: global.logLevel
otlp-endpoint: tracing.enabled and tracing.endpoint
otlp-sampling: tracing.sampling
{{- end -}}

{{- /* What the pods of both have. Takes (list prefix component settings). */ -}}
{{- define "chancery.checkPods" -}}
{{- $prefix := index . 0 -}}
{{- $component := index . 1 -}}
{{- $settings := index . 2 -}}
{{- include "chancery.checkBudget" (list (printf "%spodDisruptionBudget" $prefix) $settings) -}}
{{- $flags := include "chancery.flags" . | fromYaml -}}
{{- $addresses := ternary (dict "http-address" 9402) (dict "http-address" 8080 "health-address" 9403) (eq $component "controller") -}}
{{- $seen := dict -}}
{{- range $argument := $settings.extraArgs -}}
{{- $flag := index (regexSplit "=" (trimPrefix "--" $argument) 2) 0 -}}
{{- with get $flags $flag -}}
{{- fail (printf "%sextraArgs: --%s is passed by the chart, and no flag may be passed twice; use %s" $prefix $flag .) -}}
{{- end -}}
{{- if and (hasKey $addresses $flag) (not (hasSuffix (printf ":%d" (get $addresses $flag)) $argument)) -}}
{{- fail (printf "%sextraArgs: --%s has to end with port :%d, which the container, its probes and Services name; the address before it may be another, such as [::]" $prefix $flag (get $addresses $flag)) -}}
{{- end -}}
{{- if hasKey $seen $flag -}}
{{- fail (printf "%sextraArgs: --%s is there twice, and no flag may be passed twice" $prefix $flag) -}}
{{- end -}}
{{- $_ := set $seen $flag true -}}
{{- end -}}
{{- $names := dict -}}
{{- range $variable := $settings.extraEnv -}}
{{- if has $variable.name (list "POD_NAME" "POD_NAMESPACE") -}}
{{- fail (printf "%sextraEnv: %s is the chart's own: by it the program knows its pod" $prefix $variable.name) -}}
{{- end -}}
{{- if hasKey $names $variable.name -}}
{{- fail (printf "%sextraEnv: %s is there twice" $prefix $variable.name) -}}
{{- end -}}
{{- $_ := set $names $variable.name true -}}
{{- end -}}
{{- if and (eq (toString $settings.podDnsPolicy) "None") (not (get (default dict $settings.podDnsConfig) "nameservers")) -}}
{{- fail (printf "%spodDnsPolicy: with None the resolvers have to be in %spodDnsConfig.nameservers" $prefix $prefix) -}}
{{- end -}}
{{- range $container := concat (default list $settings.initContainers) (default list $settings.extraContainers) -}}
{{- if eq $container.name $component -}}
{{- fail (printf "%sextraContainers, %sinitContainers: %s is the name of the chart's own container" $prefix $prefix $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The Prometheus operator leaves out a monitor that is wrong, and says so in its log only. Takes prometheus.servicemonitor. */ -}}
{{- define "chancery.checkMonitor" -}}
{{- if .enabled -}}
{{- $endpoint := include "chancery.endpoint" . | fromYaml -}}
{{- $interval := toString $endpoint.interval -}}
{{- $timeout := toString $endpoint.scrapeTimeout -}}
{{- if gt (include "chancery.milliseconds" $timeout | int64) (include "chancery.milliseconds" $interval | int64) -}}
{{- fail (printf "prometheus.servicemonitor.scrapeTimeout: %s is longer than the interval of %s, and the Prometheus operator takes no such ServiceMonitor; set it to %s or less" $timeout $interval $interval) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What the API server would refuse in the midst of an upgrade. Takes responder.service. */ -}}
{{- define "chancery.checkService" -}}
{{- $service := . -}}
{{- range $field := list "loadBalancerClass" "loadBalancerIP" "loadBalancerSourceRanges" -}}
{{- if and (get $service $field) (ne $service.type "LoadBalancer") -}}
{{- fail (printf "responder.service.%s: needs responder.service.type LoadBalancer" $field) -}}
{{- end -}}
{{- end -}}
{{- range $field := list "nodePort" "externalTrafficPolicy" -}}
{{- if and (get $service $field) (eq $service.type "ClusterIP") -}}
{{- fail (printf "responder.service.%s: needs responder.service.type NodePort or LoadBalancer" $field) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $service.clusterIP "None") (ne $service.type "ClusterIP") -}}
{{- fail "responder.service.clusterIP: None needs responder.service.type ClusterIP" -}}
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
{{- if and (not (kindIs "invalid" $least)) (kindIs "invalid" $settings.replicaCount) -}}
{{- if eq (toString $least) "100%" -}}
{{- fail (printf "%s.minAvailable: with 100%% no replica may go, so no node with one of them could ever be drained; set less" $field) -}}
{{- end -}}
{{- else if not (kindIs "invalid" $least) -}}
{{- $stay := int $least -}}
{{- if kindIs "string" $least -}}
{{- /* Kubernetes rounds up. */ -}}
{{- $stay = div (add (mul (int (trimSuffix "%" $least)) (int $settings.replicaCount)) 99) 100 | int -}}
{{- end -}}
{{- if and (gt $stay 0) (ge $stay (int $settings.replicaCount)) -}}
{{- fail (printf "%s.minAvailable: %d of %d replicas must stay, so no node with one of them could ever be drained; raise replicaCount or lower it" $field $stay (int $settings.replicaCount)) -}}
{{- end -}}
{{- end -}}
{{- if and (not (kindIs "invalid" $budget.maxUnavailable)) (regexMatch "^0+%?$" (toString $budget.maxUnavailable)) -}}
{{- fail (printf "%s.maxUnavailable: with %v no replica may go, so no node with one of them could ever be drained; set 1 or more" $field $budget.maxUnavailable) -}}
{{- end -}}
{{- end -}}
{{- end -}}
