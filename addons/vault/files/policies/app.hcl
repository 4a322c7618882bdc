# Read and write what lies under app/ in the engine secret, but not its history.
path "secret/data/app/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/app/*" {
  capabilities = ["list", "read"]
}
