{{/* Names follow the release, so that two releases of different names could stand side by side. */}}
{{- define "holdfast.name" -}}
{{- .Release.Name | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{- define "holdfast.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "holdfast.labels" -}}
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* A Pod's security: restricted, and read-only to the last byte. */}}
{{- define "holdfast.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "holdfast.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  readOnlyRootFilesystem: true
{{- end -}}

{{/* One role's Deployment. Called with a dict: root, role, name, env (list), nodeSelector. */}}
{{- define "holdfast.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "holdfast.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  replicas: 1
  # Two incarnations of one role never overlap by our own doing; uids make it safe if they do.
  strategy: {type: Recreate}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ $root.Release.Name }}
      holdfast.dev/process: {{ .name }}
  template:
    metadata:
      labels:
        {{- include "holdfast.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .role }}
        holdfast.dev/process: {{ .name }}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9090"
    spec:
      serviceAccountName: {{ include "holdfast.name" $root }}-{{ .role }}
      {{- include "holdfast.podSecurity" $root | nindent 6 }}
      {{- with .nodeSelector }}
      nodeSelector: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{ toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: 5
      containers:
        - name: {{ .role }}
          image: {{ include "holdfast.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [operator, --role, {{ .role }}]
          env:
            - name: HOLDFAST_NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - name: HOLDFAST_POD_UID
              valueFrom: {fieldRef: {fieldPath: metadata.uid}}
            - {name: HOLDFAST_RELEASE, value: {{ include "holdfast.name" $root | quote }}}
            {{- range $key, $value := .env }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
          ports:
            - {name: metrics, containerPort: 9090}
            - {name: health, containerPort: 8080}
          livenessProbe:
            httpGet: {path: /healthz, port: health}
            initialDelaySeconds: 10
            periodSeconds: 20
            timeoutSeconds: 5
          readinessProbe:
            httpGet: {path: /healthz, port: health}
            periodSeconds: 5
            timeoutSeconds: 5
          resources: {{ toYaml $root.Values.resources | nindent 12 }}
          {{- include "holdfast.containerSecurity" $root | nindent 10 }}
{{- end -}}
