# What holds for every server of every environment. The ConfigMap adds
# site.hcl, and a Secret adds secrets.hcl with the gossip key and the token.
server = true

# A request on plain HTTP could carry a token; there is no port for one. gRPC
# and WAN gossip have no users, and what is not open needs no rules.
ports {
  http     = -1
  https    = 8501
  grpc     = -1
  grpc_tls = -1
  serf_wan = -1
}
peering {
  enabled = false
}

# Agents get their certificates from the servers (auto_encrypt), which sign
# them with Consul's own CA (connect). An agent holds no key of ours.
connect {
  enabled = true
}
auto_encrypt {
  allow_tls = true
}
tls {
  defaults {
    verify_outgoing = true
  }
  internal_rpc {
    verify_incoming        = true
    verify_server_hostname = true # only server.<dc>.consul may act as a server
  }
  https {
    verify_incoming = false # callers show a token, not a certificate
  }
}

acl {
  enabled        = true
  default_policy = "deny"
}

performance {
  # A leader is given up after two seconds of silence, and gives up itself after one
  # without an answer from a majority. While a server restarts, a majority is all
  # that is left, so with half of that a busy machine has elections for nothing.
  raft_multiplier  = 2
  leave_drain_time = "1s" # agents hear of a leave within that; the default holds a restart up for 5 s
}

# A server may come back with another address. It leaves when it is told to
# stop, because a name that failed is refused at a new address for 30 s.
leave_on_terminate = true

# The default refuses to start a server that was off for a week, which turns an
# environment that was off for a holiday into one that never starts again.
server_rejoin_age_max = "8760h"

retry_interval = "1s"

autopilot {
  cleanup_dead_servers = true

  # Followers hear from the leader every 200 to 400 ms; the default of 200 ms
  # calls healthy ones sick. Two seconds are where they would call an election.
  last_contact_threshold = "2s"

  # The servers that found the cluster are voters at once; this counts only for
  # one that comes back. Until it votes again no other may fail, so it is asked
  # for no more than to look healthy on two looks, which are 2 s apart.
  server_stabilization_time = "3s"
}

disable_update_check = true
log_json             = true
