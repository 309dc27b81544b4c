{{/* The name of the chart, or what stands for it. */}}
{{- define "chancery.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 45 | trimSuffix "-" -}}
{{- end -}}

{{/* What all objects' names begin with. The longest ending is -responder-metrics, and a Service's name has 63 characters. */}}
{{- define "chancery.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains (include "chancery.name" .) .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "chancery.name" .) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Quoted where it stands for itself: a namespace may be called 1234 or true, which YAML takes for something else. */}}
{{- define "chancery.namespace" -}}
{{- default .Release.Namespace .Values.namespace -}}
{{- end -}}

{{/* Where the registers, the lists, the lease and ClusterIssuers' Secrets are. */}}
{{- define "chancery.resourceNamespace" -}}
{{- default (include "chancery.namespace" .) .Values.clusterResourceNamespace -}}
{{- end -}}

{{/* "true" where the whole cluster is served. */}}
{{- define "chancery.clusterWide" -}}
{{- if not .Values.watchNamespaces -}}true{{- end -}}
{{- end -}}

{{/* Maps as one, as YAML; empty for none. Of a key that several have, the last counts: YAML has each key once. Takes a list. */}}
{{- define "chancery.merged" -}}
{{- $all := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- $_ := set $all $key $value -}}
{{- end -}}
{{- end -}}
{{- if $all -}}{{- toYaml $all -}}{{- end -}}
{{- end -}}

{{/* By what Deployments and Services know their pods. Takes (list $ component). */}}
{{- define "chancery.selector" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: {{ include "chancery.name" $root | quote }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
{{- with $component }}
app.kubernetes.io/component: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Takes (list $ component), or (list $ "") for what belongs to none; and maps with more, each stronger than those before it. */}}
{{- define "chancery.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/part-of" "chancery" "app.kubernetes.io/managed-by" $root.Values.creator -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- $selector := include "chancery.selector" . | fromYaml -}}
{{- include "chancery.merged" (concat (list $own $root.Values.global.commonLabels) (slice . 2) (list $selector)) -}}
{{- end -}}

{{- define "chancery.controllerAccount" -}}
{{- default (printf "%s-controller" (include "chancery.fullname" .)) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "chancery.responderAccount" -}}
{{- default (printf "%s-responder" (include "chancery.fullname" .)) .Values.responder.serviceAccount.name -}}
{{- end -}}

{{/* An image. Takes (list $ image). */}}
{{- define "chancery.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- with $image.registry -}}{{ . }}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
{{- with $image.tag -}}:{{ . }}{{- end -}}@{{ $image.digest }}
{{- else -}}
:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* The responder's image: its own fields before those of the controller. As YAML. */}}
{{- define "chancery.responderImage" -}}
{{- $image := deepCopy .Values.image -}}
{{- if or .Values.responder.image.repository .Values.responder.image.tag -}}
{{- /* Another image has another digest. */ -}}
{{- $_ := set $image "digest" "" -}}
{{- end -}}
{{- range $field, $value := .Values.responder.image -}}
{{- if $value -}}{{- $_ := set $image $field $value -}}{{- end -}}
{{- end -}}
{{- toYaml $image -}}
{{- end -}}

{{/* Constraints: those without a selector get that of the Deployment. Takes (list $ component settings). */}}
{{- define "chancery.spread" -}}
{{- $selector := dict "matchLabels" (include "chancery.selector" . | fromYaml) -}}
{{- $settings := index . 2 -}}
{{- $constraints := list -}}
{{- range $settings.topologySpreadConstraints -}}
{{- $constraint := deepCopy . -}}
{{- if kindIs "invalid" (dig "labelSelector" nil $constraint) -}}
{{- $_ := set $constraint "labelSelector" $selector -}}
{{- end -}}
{{- $constraints = append $constraints $constraint -}}
{{- end -}}
{{- $several := or (kindIs "invalid" $settings.replicaCount) (gt (int $settings.replicaCount) 1) -}}
{{- if and $several (not $constraints) -}}
{{- $host := dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway" -}}
{{- $constraints = append $constraints (merge $host (dict "labelSelector" $selector "matchLabelKeys" (list "pod-template-hash"))) -}}
{{- end -}}
{{- if $constraints -}}
{{- toYaml $constraints -}}
{{- end -}}
{{- end -}}

{{/* A probe. Takes (list probe path). */}}
{{- define "chancery.probe" -}}
httpGet:
  path: {{ index . 1 }}
  port: http-metrics
{{ toYaml (omit (index . 0) "enabled") }}
{{- end -}}

{{/* What the pods of both have around their container. Takes (list $ component settings). */}}
{{- define "chancery.podAround" -}}
{{- $root := index . 0 -}}
{{- $settings := index . 2 -}}
enableServiceLinks: {{ $settings.enableServiceLinks }}
{{- with $root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.global.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $settings.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- if not (kindIs "invalid" $root.Values.global.hostUsers) }}
hostUsers: {{ $root.Values.global.hostUsers }}
{{- end }}
{{- with $settings.terminationGracePeriodSeconds }}
terminationGracePeriodSeconds: {{ int . }}
{{- end }}
{{- with $settings.podDnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $settings.podDnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "chancery.spread" . }}
topologySpreadConstraints:
  {{- . | nindent 2 }}
{{- end }}
{{- with $settings.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.volumes }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the containers of both have beside image, arguments and ports. Takes (list $ component settings). */}}
{{- define "chancery.containerAround" -}}
{{- $settings := index . 2 -}}
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  {{- with $settings.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $settings.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $settings.livenessProbe.enabled }}
livenessProbe:
  {{- include "chancery.probe" (list $settings.livenessProbe "/livez") | nindent 2 }}
{{- end }}
{{- if $settings.readinessProbe.enabled }}
readinessProbe:
  {{- include "chancery.probe" (list $settings.readinessProbe "/readyz") | nindent 2 }}
{{- end }}
{{- with $settings.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.volumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of pods. Takes (list $ component settings). */}}
{{- define "chancery.podLabels" -}}
{{- $root := index . 0 -}}
{{- $own := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/part-of" "chancery" -}}
{{- $selector := include "chancery.selector" . | fromYaml -}}
{{- include "chancery.merged" (list $own $root.Values.global.commonLabels (index . 2).podLabels $selector) -}}
{{- end -}}

{{/* Annotations of pods. Takes (list $ settings port). */}}
{{- define "chancery.podAnnotations" -}}
{{- $prometheus := (index . 0).Values.prometheus -}}
{{- $scrape := dict -}}
{{- if and $prometheus.enabled (not $prometheus.servicemonitor.enabled) -}}
{{- $scrape = dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (toString (index . 2)) -}}
{{- end -}}
{{- include "chancery.merged" (list $scrape (index . 1).podAnnotations) -}}
{{- end -}}

{{/* The flags of logs and traces, which both programs have. */}}
{{- define "chancery.telemetryArgs" -}}
- --log-format={{ .Values.logging.format }}
- {{ printf "--log-level=%s" .Values.global.logLevel | quote }}
{{- if .Values.tracing.enabled }}
- {{ printf "--otlp-endpoint=%s" .Values.tracing.endpoint | quote }}
{{- if not (kindIs "invalid" .Values.tracing.sampling) }}
- --otlp-sampling={{ .Values.tracing.sampling }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The flag that names the operator's namespace. */}}
{{- define "chancery.namespaceArg" -}}
- --cluster-resource-namespace={{ default "$(POD_NAMESPACE)" .Values.clusterResourceNamespace }}
{{- end -}}

{{/* How the ServiceMonitor reads metrics. Takes prometheus.servicemonitor. */}}
{{- define "chancery.endpoint" -}}
{{- $own := dict "port" "http-metrics" "path" .path "interval" .interval "scrapeTimeout" .scrapeTimeout "honorLabels" .honorLabels -}}
{{- include "chancery.merged" (list $own .endpointAdditionalProperties) -}}
{{- end -}}

{{/* How many milliseconds a duration has, as Prometheus writes it: 1m30s. */}}
{{- define "chancery.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 -}}
{{- $sum := int64 0 -}}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" . -1 -}}
{{- $number := regexFind "^[0-9]+" . -}}
{{- $sum = add $sum (mul (int64 $number) (get $units (trimPrefix $number .) | int64)) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* How many seconds a duration has, as Go writes it: 1m30s, 1.5s. */}}
{{- define "chancery.seconds" -}}
{{- $units := dict "ns" 1e-9 "us" 1e-6 "µs" 1e-6 "ms" 1e-3 "s" 1.0 "m" 60.0 "h" 3600.0 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h)" . -1 -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" . -}}
{{- $sum = addf $sum (mulf (float64 $number) (get $units (trimPrefix $number .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* A PodDisruptionBudget's spec but its selector. */}}
{{- define "chancery.budget" -}}
{{- if not (kindIs "invalid" .minAvailable) -}}
minAvailable: {{ .minAvailable }}
{{- else -}}
maxUnavailable: {{ if kindIs "invalid" .maxUnavailable }}1{{ else }}{{ .maxUnavailable }}{{ end }}
{{- end }}
# A pod that is not ready must not hold up a node that is drained.
unhealthyPodEvictionPolicy: AlwaysAllow
{{- end -}}
