# What takes snapshots. Consul asks for acl = "write" even to save one, because
# all tokens are in it: this is as good as the management token, and only the pod
# that takes them is given it.
acl      = "write"
operator = "read"

# The mark that a restore is proven by.
key "clusterup/snapshot" {
  policy = "write"
}

# What is counted beside it, and compared after a restore.
key_prefix "" {
  policy = "read"
}
node_prefix "" {
  policy = "read"
}
service_prefix "" {
  policy = "read"
}
