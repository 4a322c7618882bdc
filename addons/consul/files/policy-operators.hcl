# What people need from day to day: to look at everything but ACLs, which hold
# the secrets of others, and the gossip keys. To change something takes the
# management token, or an add-on that asks for it.
operator = "read"
mesh     = "read"
peering  = "read"

agent_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
service_prefix "" {
  policy     = "read"
  intentions = "read"
}
session_prefix "" {
  policy = "read"
}
query_prefix "" {
  policy = "read"
}
event_prefix "" {
  policy = "read"
}

# Vault's storage is below vault/, sealed by Vault itself.
key_prefix "" {
  policy = "read"
}
