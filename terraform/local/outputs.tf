# SPDX-License-Identifier: Apache-2.0

output "kubeconfig" {
  description = "Path of the kubeconfig (0600); never its content, which would end up in the state."
  value       = terraform_data.boot.output.kubeconfig
}

output "endpoint" {
  description = "Address of the API server."
  value       = terraform_data.boot.output.endpoint
}

output "ca" {
  description = "Certificate of the cluster's CA, PEM."
  # Not known before boot has run, and absent when the folder was lost.
  value = try(file(terraform_data.boot.output.ca), "")
}
