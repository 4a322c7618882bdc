{{- /*
labels: what selects the pods of one component, for selectors and for pod
templates. Every object as a whole gets the standard labels without asking.

    {{ include "labels" (list . "server") | nindent 6 }}

Selectors cannot be changed later: nothing in here may depend on a version.
*/ -}}
{{- define "labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Addon.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}
