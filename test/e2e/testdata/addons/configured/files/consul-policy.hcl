# The configuration of this application, and of no other.
key_prefix "app/configured/" {
  policy = "read"
}
