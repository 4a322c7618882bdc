{{- /* The Secret with what is served for the domain. */ -}}
{{- define "certificate" -}}
{{ ternary "vault-certificate" "default-certificate" (eq .Values.certificate "vault") }}
{{- end -}}
