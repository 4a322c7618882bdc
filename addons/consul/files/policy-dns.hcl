# What a request without a token may do: find services, nodes and prepared
# queries, which is what DNS answers with. No keys, no sessions, no ACLs.
node_prefix "" {
  policy = "read"
}
service_prefix "" {
  policy = "read"
}
query_prefix "" {
  policy = "read"
}
