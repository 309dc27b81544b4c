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

{{/* By what Deployments and Services know their pods. Takes (list $ component). */}}
{{- define "chancery.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "chancery.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Takes (list $ component), or (list $ "") for what belongs to none. */}}
{{- define "chancery.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "chancery.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Values.creator }}
app.kubernetes.io/part-of: chancery
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
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

{{/* Constraints, each with a selector. Takes (list $ component settings). */}}
{{- define "chancery.spread" -}}
{{- $selector := dict "matchLabels" (include "chancery.selector" . | fromYaml) -}}
{{- $settings := index . 2 -}}
{{- $constraints := list -}}
{{- range $settings.topologySpreadConstraints -}}
{{- $constraints = append $constraints (merge (deepCopy .) (dict "labelSelector" $selector)) -}}
{{- end -}}
{{- if and (not $constraints) (gt (int $settings.replicaCount) 1) -}}
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
priorityClassName: {{ . }}
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
{{ include "chancery.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: chancery
{{- with $root.Values.global.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with (index . 2).podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Annotations of pods. Takes (list $ settings port). */}}
{{- define "chancery.podAnnotations" -}}
{{- $prometheus := (index . 0).Values.prometheus -}}
{{- $annotations := deepCopy (index . 1).podAnnotations -}}
{{- if and $prometheus.enabled (not $prometheus.servicemonitor.enabled) -}}
{{- $scrape := dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (toString (index . 2)) -}}
{{- $annotations = merge $annotations $scrape -}}
{{- end -}}
{{- if $annotations -}}{{- toYaml $annotations -}}{{- end -}}
{{- end -}}

{{/* The flags of logs and traces, which both programs have. */}}
{{- define "chancery.telemetryArgs" -}}
- --log-format={{ .Values.logging.format }}
- --log-level={{ .Values.global.logLevel }}
{{- if .Values.tracing.enabled }}
- --otlp-endpoint={{ .Values.tracing.endpoint }}
{{- if not (kindIs "invalid" .Values.tracing.sampling) }}
- --otlp-sampling={{ .Values.tracing.sampling }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The flag that names the operator's namespace. */}}
{{- define "chancery.namespaceArg" -}}
- --cluster-resource-namespace={{ default "$(POD_NAMESPACE)" .Values.clusterResourceNamespace }}
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
