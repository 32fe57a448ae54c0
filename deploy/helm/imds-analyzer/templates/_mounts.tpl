{{/*
Directories in which runtimes leave the names of containers, as they stand on the node. Only those
with the containers' descriptions: no socket of a runtime, no directory with secrets.
*/}}
{{- define "imds-analyzer.runtimeDirectories" -}}
{{- $directories := dict
  "containerd" (list "/run/containerd/io.containerd.runtime.v2.task")
  "k3s" (list "/run/k3s/containerd/io.containerd.runtime.v2.task")
  "crio" (list "/run/containers/storage/overlay-containers" "/var/lib/containers/storage/overlay-containers")
  "docker" (list "/var/lib/docker/containers")
}}
{{- $found := list }}
{{- if .Values.mounts.runtime }}{{ $found = get $directories .Values.runtime }}{{ end }}
{{- if .Values.mounts.podLogs }}{{ $found = append $found "/var/log/pods" }}{{ end }}
{{- toJson (concat $found .Values.mounts.extra | uniq) }}
{{- end }}

{{/*
HostToContainer: runtimes mount file systems of containers below these directories. Without it, the
pod would keep those of containers that are gone, and their disk space.
*/}}
{{- define "imds-analyzer.volumeMounts" -}}
- {name: config, mountPath: /etc/imds-analyzer, readOnly: true}
- {name: run, mountPath: /run/imds-analyzer}
- {name: tmp, mountPath: /tmp}
- {name: cgroup, mountPath: /sys/fs/cgroup, readOnly: true, mountPropagation: HostToContainer}
{{- if .Values.mounts.tracefs }}
- {name: tracefs, mountPath: /sys/kernel/tracing, readOnly: true, mountPropagation: HostToContainer}
{{- end }}
{{- range $number, $path := fromJsonArray (include "imds-analyzer.runtimeDirectories" .) }}
- {name: names-{{ $number }}, mountPath: {{ $path | quote }}, readOnly: true, mountPropagation: HostToContainer}
{{- end }}
{{- if eq .Values.log.output "hostPath" }}
- {name: log, mountPath: /var/log/imds-analyzer}
{{- end }}
{{- end }}

{{- define "imds-analyzer.volumes" -}}
- name: config
  configMap:
    name: {{ include "imds-analyzer.fullname" . }}
    items:
      - {key: config.toml, path: config.toml}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: cgroup
  hostPath: {path: /sys/fs/cgroup, type: Directory}
{{- if .Values.mounts.tracefs }}
- name: tracefs
  hostPath: {path: /sys/kernel/tracing, type: Directory}
{{- end }}
{{- range $number, $path := fromJsonArray (include "imds-analyzer.runtimeDirectories" .) }}
- name: names-{{ $number }}
  hostPath: {path: {{ $path | quote }}, type: Directory}
{{- end }}
{{- if eq .Values.log.output "hostPath" }}
- name: log
  hostPath: {path: {{ .Values.log.hostPath | quote }}, type: DirectoryOrCreate}
{{- end }}
{{- if include "imds-analyzer.prepares" . }}
- name: prepare
  configMap:
    name: {{ include "imds-analyzer.fullname" . }}
    items:
      - {key: prepare.py, path: prepare.py}
      {{- if include "imds-analyzer.installsSeccomp" . }}
      - {key: seccomp.json, path: seccomp.json}
      {{- end }}
{{- end }}
{{- if include "imds-analyzer.installsSeccomp" . }}
- name: seccomp
  hostPath: {path: {{ printf "%s/seccomp" (.Values.seccomp.kubeletRoot | trimSuffix "/") | quote }}, type: DirectoryOrCreate}
{{- end }}
{{- end }}
