# What Vault may do in Consul: keep its data, hold the lock that makes one replica
# the active one, and register the agents beside the replicas under their names.
key_prefix "vault/" {
  policy = "write"
}

session_prefix "vault-" {
  policy = "write"
}

node_prefix "vault-" {
  policy = "write"
}

agent_prefix "vault-" {
  policy = "read"
}
