{{/* The name of everything: the release's, with the chart's name in it once. */}}
{{- define "resnet-serve.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "resnet-serve.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "resnet-serve.labels" -}}
{{ include "resnet-serve.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "resnet-serve.image" -}}
{{- $tag := .Values.image.tag | default (ternary (printf "%s-cuda" .Chart.AppVersion) .Chart.AppVersion .Values.gpu.enabled) }}
{{- with .Values.image.registry }}{{ . }}/{{ end }}{{ .Values.image.repository }}:{{ $tag }}
{{- end }}

{{- define "resnet-serve.hasModels" -}}
{{- if and .Values.models.existingClaim .Values.models.image }}
{{- fail "models.existingClaim and models.image exclude each other" }}
{{- end }}
{{- if or .Values.models.existingClaim .Values.models.image }}true{{ end }}
{{- end }}

{{/* Longer than the server takes at the most. */}}
{{- define "resnet-serve.gracePeriodSeconds" -}}
{{- add 5 (ceil (divf (addf .Values.drainDelayMs .Values.shutdownTimeoutMs) 1000)) }}
{{- end }}

{{- define "resnet-serve.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "resnet-serve.servicePorts" -}}
- name: http
  port: {{ . }}
  targetPort: http
  appProtocol: http
{{- end }}

{{- define "resnet-serve.grpcPort" -}}
- name: grpc
  port: {{ .Values.grpc.port }}
  targetPort: grpc
  appProtocol: kubernetes.io/h2c
{{- end }}
