# What a server's own agent does with its token: keep its node's entry in the
# catalog up to date, and see the services that run on it.
node_prefix "consul-server-" {
  policy = "write"
}
service_prefix "" {
  policy = "read"
}
