{{- /*
consul.site: the part of a server's configuration that depends on the values.
The quorum that autopilot keeps is that of three servers: with fewer left, a
dead one stays a member until it comes back.
*/ -}}
{{- define "consul.site" -}}
datacenter       = {{ .Values.datacenter | toJson }}
log_level        = {{ .Values.logLevel | toJson }}
data_dir         = "/consul/data"
client_addr      = "0.0.0.0"
bootstrap_expect = {{ .Values.replicas }}
retry_join       = ["consul-server"] # in the pod's own namespace

# Pods ask CoreDNS, which asks here. There are no recursors: any other name is
# refused. A server answers from what it knows itself, a leader or not.
ports {
  dns = {{ ternary 8600 -1 .Values.dns.enabled }}
}
tls {
  defaults {
    ca_file   = "/consul/config/ca.crt"
    cert_file = "/consul/secrets/tls.crt"
    key_file  = "/consul/secrets/tls.key"
  }
}
autopilot {
  min_quorum = {{ min 3 .Values.replicas }}
}
{{- end -}}
