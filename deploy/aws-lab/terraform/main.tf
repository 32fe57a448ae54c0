# The lab of ../template.yaml for Terraform. Not applied by this project's tests; see ../README.md.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.26, < 7"
    }
  }
}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_ssm_parameter" "image" {
  name = var.image
}

locals {
  tags = { Name = "imds-analyzer-lab" }
}

resource "aws_vpc" "lab" {
  cidr_block           = "10.20.0.0/24"
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = local.tags
}

resource "aws_internet_gateway" "lab" {
  vpc_id = aws_vpc.lab.id
  tags   = local.tags
}

resource "aws_subnet" "lab" {
  vpc_id     = aws_vpc.lab.id
  cidr_block = "10.20.0.0/28"
  # For packages of the distribution and of PyPI. Nothing may come in by it.
  map_public_ip_on_launch = true
  tags                    = local.tags
}

resource "aws_route_table" "lab" {
  vpc_id = aws_vpc.lab.id
  tags   = local.tags

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.lab.id
  }
}

resource "aws_route_table_association" "lab" {
  subnet_id      = aws_subnet.lab.id
  route_table_id = aws_route_table.lab.id
}

resource "aws_security_group" "endpoint" {
  description = "EC2 Instance Connect Endpoint of the imds-analyzer lab"
  vpc_id      = aws_vpc.lab.id

  egress {
    description = "SSH to the instance"
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["10.20.0.0/28"]
  }
}

resource "aws_security_group" "instance" {
  description = "The instance of the imds-analyzer lab"
  vpc_id      = aws_vpc.lab.id

  ingress {
    description     = "SSH from the EC2 Instance Connect Endpoint alone"
    protocol        = "tcp"
    from_port       = 22
    to_port         = 22
    security_groups = [aws_security_group.endpoint.id]
  }

  egress {
    description = "S3 and packages"
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

# A shell without a key and without a port that is open to the Internet.
resource "aws_ec2_instance_connect_endpoint" "lab" {
  subnet_id          = aws_subnet.lab.id
  security_group_ids = [aws_security_group.endpoint.id]
  preserve_client_ip = false
}

resource "aws_iam_role" "lab" {
  description = "Lets the instance of the imds-analyzer lab read the release archive"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "release" {
  name = "release"
  role = aws_iam_role.lab.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = "s3:GetObject"
      Resource = [
        "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}/${var.archive}",
        "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}/${var.archive}.sha256",
      ]
    }]
  })
}

resource "aws_iam_instance_profile" "lab" {
  role = aws_iam_role.lab.name
}

resource "aws_instance" "lab" {
  ami                    = data.aws_ssm_parameter.image.insecure_value
  instance_type          = var.instance_type
  iam_instance_profile   = aws_iam_instance_profile.lab.name
  subnet_id              = aws_subnet.lab.id
  vpc_security_group_ids = [aws_security_group.instance.id]
  tags                   = local.tags

  # The AMI asks for IMDSv2. Launch parameters come first, so the module can allow IMDSv1.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = var.http_tokens
    http_put_response_hop_limit = 1
  }

  user_data = templatefile("${path.module}/user-data.sh.tftpl", {
    Bucket  = var.bucket
    Archive = var.archive
  })

  depends_on = [aws_route_table_association.lab, aws_iam_role_policy.release]
}
