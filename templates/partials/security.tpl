{{- /*
podSecurityContext: for the pod; takes the user that its containers run as.
Volumes are given to the group of the same number.

    securityContext: {{- include "podSecurityContext" 100 | nindent 8 }}
*/ -}}
{{- define "podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- /*
securityContext: for each container; takes anything. With it a pod passes the
"restricted" pod security standard. What must be written goes to volumes.

    securityContext: {{- include "securityContext" . | nindent 12 }}
*/ -}}
{{- define "securityContext" -}}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
privileged: false
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}
