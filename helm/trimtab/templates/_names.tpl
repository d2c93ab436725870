{{/* trimtab for a release of that name, else RELEASE or RELEASE-trimtab. */}}
{{- define "trimtab.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-trimtab" .Release.Name) (contains "trimtab" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "trimtab.operator" -}}
{{- printf "%s-operator" (include "trimtab.fullname" .) -}}
{{- end }}

{{- define "trimtab.account" -}}
{{- .Values.serviceAccount.name | default (include "trimtab.operator" .) -}}
{{- end }}

{{- define "trimtab.selector" -}}
app.kubernetes.io/name: trimtab-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trimtab.common" -}}
app.kubernetes.io/part-of: trimtab
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "trimtab.labels" -}}
{{ include "trimtab.selector" . }}
{{ include "trimtab.common" . }}
{{- end }}

{{- define "trimtab.image" -}}
{{- $tagged := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- ternary $tagged (printf "%s@%s" $tagged .Values.image.digest) (empty .Values.image.digest) -}}
{{- end }}

{{/* The namespaces that are looked after, sorted, as one word; "*" for all. */}}
{{- define "trimtab.lookedAfter" -}}
{{- .Values.namespaces | sortAlpha | join "," | default "*" -}}
{{- end }}

{{/* Whether an optional part is wanted: (list CONTEXT WISH API), "" for no. */}}
{{- define "trimtab.wanted" -}}
{{- $context := index . 0 -}}
{{- $known := $context.Capabilities.APIVersions.Has (index . 2) -}}
{{- if or (eq (index . 1) "always") (and (eq (index . 1) "auto") $known) }}yes{{ end -}}
{{- end }}

{{/* The operator's configuration file. */}}
{{- define "trimtab.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "namespaces" .Values.namespaces -}}
{{- $_ := set $config "lease" (merge (dict "name" (include "trimtab.operator" .) "namespace" .Release.Namespace) ($config.lease | default dict)) -}}
{{- $collector := $config.collector | default dict -}}
{{- if not (hasKey $collector "image") }}{{ $_ := set $collector "image" (include "trimtab.image" .) }}{{ end -}}
{{- if not (hasKey $collector "imagePullPolicy") }}{{ $_ := set $collector "imagePullPolicy" .Values.image.pullPolicy }}{{ end -}}
{{- if not (hasKey $collector "imagePullSecrets") }}{{ $_ := set $collector "imagePullSecrets" .Values.image.pullSecrets }}{{ end -}}
{{- if not (hasKey $collector "networkPolicy") }}{{ $_ := set $collector "networkPolicy" .Values.networkPolicies.enabled }}{{ end -}}
{{- if not (hasKey $collector "allowedFrom") }}{{ $_ := set $collector "allowedFrom" .Values.networkPolicies.collectorFrom }}{{ end -}}
{{- $_ := set $config "collector" $collector -}}
{{- toYaml $config -}}
{{- end }}

{{/* Where monitors look for pods. */}}
{{- define "trimtab.watched" -}}
{{- if .Values.namespaces }}matchNames: {{ toJson .Values.namespaces }}{{ else }}any: true{{ end -}}
{{- end }}
