# The rest comes from the environment (addresses) and from the Secret
# vault-storage (storage with its token).
disable_mlock = true

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/vault/tls/tls.crt"
  tls_key_file    = "/vault/tls/tls.key"
  tls_min_version = "tls12"

  # A snapshot that is restored on raft may take longer than the half minute that a
  # request has else; its header has ten seconds all the same.
  http_read_timeout = "10m"
}

service_registration "kubernetes" {}
