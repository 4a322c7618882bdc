# SPDX-License-Identifier: Apache-2.0

# Kubernetes nodes on this machine. Terraform never looks at reality here, and
# replacing a resource runs its destroy provisioner. So there are two: replacing
# boot starts dead nodes again and destroys nothing, and only disk, which nothing
# replaces, removes them with their volumes.

terraform {
  required_version = ">= 1.10"
}

locals {
  folder = "${var.state}/${var.environment}"

  # Every provisioner is repeatable: after a kill at any point, Terraform may
  # have forgotten that it ran.
  call = {
    CLUSTERUP   = var.clusterup
    ENVIRONMENT = var.environment
    STATE       = var.state
    SERVERS     = var.servers
    SUBNET      = var.subnet
    NODES       = var.nodes
    GENERATION  = var.generation
  }
}

resource "terraform_data" "disk" {
  input = {
    clusterup   = var.clusterup
    environment = var.environment
    state       = var.state
  }

  provisioner "local-exec" {
    command     = "\"$CLUSTERUP\" local disk-create --environment \"$ENVIRONMENT\" --state \"$STATE\" --servers \"$SERVERS\" --subnet \"$SUBNET\""
    environment = local.call
  }

  provisioner "local-exec" {
    when    = destroy
    command = "\"$CLUSTERUP\" local disk-destroy --environment \"$ENVIRONMENT\" --state \"$STATE\""

    # A destroy provisioner can only know what the resource itself remembers.
    environment = {
      CLUSTERUP   = self.output.clusterup
      ENVIRONMENT = self.output.environment
      STATE       = self.output.state
    }
  }
}

resource "terraform_data" "boot" {
  depends_on       = [terraform_data.disk]
  triggers_replace = [var.generation, var.nodes]

  input = {
    kubeconfig = "${local.folder}/cluster/kubeconfig"
    ca         = "${local.folder}/cluster/ca.crt"
    endpoint   = "https://${cidrhost(var.subnet, 11)}:6443"
  }

  provisioner "local-exec" {
    command     = "\"$CLUSTERUP\" local boot --environment \"$ENVIRONMENT\" --state \"$STATE\" --servers \"$SERVERS\" --subnet \"$SUBNET\" --nodes \"$NODES\" --generation \"$GENERATION\""
    environment = local.call
  }
}
