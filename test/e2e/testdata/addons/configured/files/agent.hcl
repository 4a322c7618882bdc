# What starts the application: Vault Agent reads the keys and the password, and
# gives them to its child as environment variables. Nothing is written to a file.
vault {
  address = "https://vault.vault.svc:8200"
  ca_cert = "/config/vault-ca.crt"
}
auto_auth {
  method "kubernetes" {
    config = {
      role       = "configured"
      token_path = "/run/tokens/vault"
    }
  }
}

# Consul tells of a changed key at once. Vault is asked again this often.
template_config {
  static_secret_render_interval = "1m"
}

env_template "COLOUR" {
  contents = "{{ key \"app/configured/colour\" }}"
}
env_template "PASSWORD" {
  contents             = "{{ with secret \"secret/data/app/configured\" }}{{ .Data.data.password }}{{ end }}"
  error_on_missing_key = true
}

# A changed value means a new process: it gets SIGTERM, and 30 seconds.
exec {
  command                   = ["/echo", "serve", "--show", "COLOUR", "--password-env", "PASSWORD"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
