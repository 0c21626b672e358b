{{- define "tokenlake.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tokenlake.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tokenlake.labels" -}}
{{ include "tokenlake.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "tokenlake.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tokenlake.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tokenlake.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* What pods of servers and jobs have in common. */}}
{{- define "tokenlake.pod" -}}
serviceAccountName: {{ include "tokenlake.account" . }}
automountServiceAccountToken: false
# Otherwise Kubernetes adds variables whose names look like those of flags.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* What their containers have in common. */}}
{{- define "tokenlake.container" -}}
image: {{ include "tokenlake.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
  - configMapRef: {name: {{ include "tokenlake.fullname" . }}}
  {{- with .Values.store.existingSecret }}
  - secretRef: {name: {{ . }}}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* A job: (list . "compact" (list "compact")). */}}
{{- define "tokenlake.job" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $job := index $root.Values $name -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "tokenlake.fullname" $root }}-{{ $name }}
  labels:
    {{- include "tokenlake.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
spec:
  schedule: {{ $job.schedule | quote }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 600
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 3
      activeDeadlineSeconds: 3600
      template:
        metadata:
          labels:
            {{- include "tokenlake.labels" $root | nindent 12 }}
            app.kubernetes.io/component: {{ $name }}
        spec:
          restartPolicy: OnFailure
          {{- include "tokenlake.pod" $root | nindent 10 }}
          containers:
            - name: tokenlake
              args: {{ index . 2 | toJson }}
              {{- include "tokenlake.container" $root | nindent 14 }}
              resources: {{- toYaml $job.resources | nindent 16 }}
              volumeMounts:
                - {name: tmp, mountPath: /tmp}
          volumes:
            - name: tmp
              emptyDir: {sizeLimit: 1Gi}
{{- end -}}
