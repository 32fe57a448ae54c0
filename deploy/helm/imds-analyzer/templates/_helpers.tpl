{{- define "imds-analyzer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "imds-analyzer.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "imds-analyzer.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "imds-analyzer.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "imds-analyzer.selectorLabels" -}}
app.kubernetes.io/name: {{ include "imds-analyzer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "imds-analyzer.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "imds-analyzer.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "imds-analyzer.image" -}}
{{- $repository := required "image.repository: set it to where you pushed the image, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/imds-analyzer" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The image's only program; it has no shell. */}}
{{- define "imds-analyzer.python" -}}
/usr/bin/python3.11
{{- end }}

{{- define "imds-analyzer.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "imds-analyzer.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "imds-analyzer.priorityClass" -}}
{{- if .Values.priorityClass.create }}
{{- default (include "imds-analyzer.fullname" .) .Values.priorityClass.name }}
{{- else }}
{{- .Values.priorityClass.name }}
{{- end }}
{{- end }}

{{/* The least that attaches the probe and names callers; docs/install.md has a line on each. */}}
{{- define "imds-analyzer.capabilities" -}}
{{- $names := list "BPF" "PERFMON" "SYS_PTRACE" "DAC_READ_SEARCH" }}
{{- if .Values.capabilities.netAdmin }}{{ $names = append $names "NET_ADMIN" }}{{ end }}
{{- if .Values.capabilities.sysAdmin }}{{ $names = append $names "SYS_ADMIN" }}{{ end }}
{{- toJson $names }}
{{- end }}

{{/*
Whether a program may gain what its container was not started with. containerd and CRI-O start a
container with its capabilities, also for a user other than root, so that false is no obstacle to
the image's file capabilities. docker starts such a container with none. The API server refuses
false beside CAP_SYS_ADMIN.
*/}}
{{- define "imds-analyzer.mayGain" -}}
{{- or .Values.capabilities.sysAdmin (eq .Values.runtime "docker") }}
{{- end }}

{{/* Whether something has to be prepared on the node by root: the log's directory, the profile. */}}
{{- define "imds-analyzer.prepares" -}}
{{- if or (eq .Values.log.output "hostPath") (include "imds-analyzer.installsSeccomp" .) }}true{{ end }}
{{- end }}

{{- define "imds-analyzer.installsSeccomp" -}}
{{- if and (eq .Values.seccomp.type "Localhost") .Values.seccomp.install }}true{{ end }}
{{- end }}

{{/* The fields of a securityContext; Localhost alone has a file. */}}
{{- define "imds-analyzer.profile" -}}
type: {{ .type }}
{{- if eq .type "Localhost" }}
localhostProfile: {{ .localhostProfile | quote }}
{{- end }}
{{- end }}

{{/* Kubernetes before 1.30 has annotations for AppArmor. */}}
{{- define "imds-analyzer.hasAppArmorField" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}true{{ end }}
{{- end }}

{{- define "imds-analyzer.appArmorAnnotation" -}}
{{- if eq .Values.appArmor.type "Localhost" }}
{{- printf "localhost/%s" .Values.appArmor.localhostProfile }}
{{- else if eq .Values.appArmor.type "RuntimeDefault" -}}
runtime/default
{{- else -}}
unconfined
{{- end }}
{{- end }}
