# SPDX-License-Identifier: Apache-2.0

variable "environment" {
  description = "Name of the environment; the nodes are called NAME-1, NAME-2, ..."
  type        = string
}

variable "clusterup" {
  description = "Absolute path of the clusterup program that the provisioners call."
  type        = string
}

variable "state" {
  description = "Folder of all local environments of this machine."
  type        = string
  default     = "/var/lib/clusterup"
}

variable "servers" {
  description = "Folder with the built servers (bin/) and the image archives."
  type        = string
}

variable "nodes" {
  description = "How many nodes there have to be."
  type        = number
  default     = 3

  validation {
    condition     = var.nodes >= 1 && var.nodes <= 50
    error_message = "A local environment has 1 to 50 nodes."
  }
}

variable "subnet" {
  description = "The /16 that was reserved for the environment."
  type        = string

  validation {
    condition     = can(cidrhost(var.subnet, 1)) && endswith(var.subnet, "/16")
    error_message = "The subnet is an IPv4 /16 such as 10.88.0.0/16."
  }
}

variable "generation" {
  description = "What clusterup saw of the nodes: another value than at the last apply means that some are dead."
  type        = string
}
