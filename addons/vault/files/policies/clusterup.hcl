# clusterup's own policy: what docs/vault.md lists as always managed, and no more. What
# an environment's values ask for besides is added when it is written. Whoever holds
# it may write policies, and so is as good as root: docs/security.md.
path "sys/audit" {
  capabilities = ["read", "sudo"]
}

path "sys/mounts" {
  capabilities = ["read"]
}

path "sys/auth" {
  capabilities = ["read"]
}

path "sys/audit/stdout" {
  capabilities = ["create", "update", "delete", "sudo"]
}

# Half of an audit device, left by a killed run, goes only with the active replica.
path "sys/step-down" {
  capabilities = ["update", "sudo"]
}

path "sys/mounts/secret" {
  capabilities = ["create", "update"]
}

path "sys/auth/kubernetes" {
  capabilities = ["create", "update", "sudo"]
}

path "auth/kubernetes/config" {
  capabilities = ["create", "read", "update"]
}

path "auth/kubernetes/role/*" {
  capabilities = ["create", "read", "update"]
}

path "sys/policies/acl/*" {
  capabilities = ["create", "read", "update"]
}

# What Vault sealed to holders' PGP keys in a rekey, until it is stored for them.
path "sys/rekey/backup" {
  capabilities = ["read", "delete"]
}

path "sys/rekey/recovery-key-backup" {
  capabilities = ["read", "delete"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
