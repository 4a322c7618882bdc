# One resource whose provisioner does what the test asks, and one that proves
# that what was finished is kept.
variable "generation" { type = string }
variable "command" { type = string }

resource "terraform_data" "first" {
  input = { generation = var.generation }
  provisioner "local-exec" {
    when    = destroy
    command = "echo destroyed generation ${self.output.generation}"
  }
}

resource "terraform_data" "second" {
  depends_on       = [terraform_data.first]
  triggers_replace = [var.generation]
  provisioner "local-exec" {
    command     = var.command
    environment = { TOKEN = "in-the-environment" }
  }
}

output "generation" { value = terraform_data.first.output.generation }
