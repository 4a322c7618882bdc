# clusterup's own policy: what docs/vault.md lists as managed, and no more. Whoever
# holds it may write policies, and so is as good as root: docs/security.md.
path "sys/audit" {
  capabilities = ["read", "sudo"]
}

path "sys/audit/stdout" {
  capabilities = ["create", "update", "delete", "sudo"]
}

# Half of an audit device, left by a killed run, goes only with the active replica.
path "sys/step-down" {
  capabilities = ["update", "sudo"]
}

path "sys/mounts/secret" {
  capabilities = ["create", "read", "update"]
}

path "sys/auth/kubernetes" {
  capabilities = ["create", "read", "update", "sudo"]
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

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
