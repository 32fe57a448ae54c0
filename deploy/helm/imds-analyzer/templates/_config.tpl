{{/* TOML of one section: JSON's strings, numbers, booleans and lists of strings are TOML's, too. */}}
{{- define "imds-analyzer.section" -}}
[{{ .name }}]
{{- range $key, $value := .settings }}
{{ $key }} = {{ toJson $value }}
{{- end }}
{{- end }}

{{/* The configuration file: the values' sections, and over them what the chart itself decides. */}}
{{- define "imds-analyzer.config" -}}
{{- $sections := deepCopy .Values.config }}
{{- $log := dict "sink" "stdout" }}
{{- if eq .Values.log.output "hostPath" }}
{{- $log = dict "sink" "file" "file" "/var/log/imds-analyzer/imds.jsonl" }}
{{- end }}
{{- $_ := set $sections "log" (mergeOverwrite (default dict $sections.log) $log) }}
{{- if .Values.metrics.enabled }}
{{- $host := .Values.metrics.address }}
{{- if contains ":" $host }}{{ $host = printf "[%s]" $host }}{{ end }}
{{- $address := dict "prometheus" (printf "%s:%d" $host (int .Values.metrics.port)) }}
{{- $_ := set $sections "metrics" (mergeOverwrite (default dict $sections.metrics) $address) }}
{{- end }}
{{- range $name, $settings := $sections }}
{{- if $settings }}
{{ include "imds-analyzer.section" (dict "name" $name "settings" $settings) }}
{{- end }}
{{- end }}
{{- end }}
