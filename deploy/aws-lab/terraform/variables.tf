variable "bucket" {
  description = "S3 bucket of this account and Region that has the release archive and its .sha256."
  type        = string
}

variable "archive" {
  description = "Key of the release archive, such as imds-analyzer-0.2.0.tar.gz."
  type        = string

  validation {
    condition     = can(regex("imds-analyzer-[A-Za-z0-9._-]+[.]tar[.]gz$", var.archive))
    error_message = "Give a key that ends in imds-analyzer-VERSION.tar.gz."
  }
}

variable "instance_type" {
  description = "x86-64, because the default AMI is."
  type        = string
  default     = "t3.micro"
}

variable "image" {
  description = "SSM parameter of an AMI. The default is Amazon Linux 2023: its kernel has BTF, and it has the AWS CLI."
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

variable "http_tokens" {
  description = "optional answers IMDSv1; required refuses it, and the calls show as status 401."
  type        = string
  default     = "optional"

  validation {
    condition     = contains(["optional", "required"], var.http_tokens)
    error_message = "Give optional or required."
  }
}
