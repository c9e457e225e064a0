{{- define "doorward.labels" -}}
{{ include "doorward.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "doorward.selector" -}}
app.kubernetes.io/name: doorward
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "doorward.name" -}}
{{- if contains "doorward" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-doorward" (.Release.Name | trunc 43 | trimSuffix "-") }}{{ end }}
{{- end }}

{{- define "doorward.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Values that contradict each other stop the rendering, with what to change. */}}
{{- define "doorward.checked" -}}
{{- if not .Values.issuer }}{{ fail "issuer: set the public URL of this server" }}{{ end }}
{{- if .Values.postgres.enabled }}
{{- if not .Values.postgres.url }}{{ fail "postgres.url: set the URL of the database, without the password" }}{{ end }}
{{- if not .Values.postgres.secretName }}{{ fail "postgres.secretName: name the Secret that has the password" }}{{ end }}
{{- if not .Values.keys.secretName }}{{ fail "keys.secretName: name the Secret that has token.keys_secret" }}{{ end }}
{{- if and .Values.postgres.owner.url (not .Values.postgres.owner.secretName) }}{{ fail "postgres.owner.secretName: name the Secret that has the owner's password" }}{{ end }}
{{- else if gt (int .Values.replicas) 1 }}{{ fail "replicas: the embedded store has one server; enable postgres for more" }}
{{- end }}
{{- end }}

{{/* What a container may not do. */}}
{{- define "doorward.container" -}}
image: {{ include "doorward.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end }}

{{- define "doorward.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
