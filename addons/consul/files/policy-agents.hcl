# What makes agents in the pods of add-ons take up a CA that was rotated: look at
# them and tell them to reload. The pods see this token, so it may do nothing else,
# and nothing to the servers.
agent_prefix "" {
  policy = "write"
}
agent_prefix "consul-server-" {
  policy = "deny"
}
