output "instance" {
  description = "The instance's id"
  value       = aws_instance.lab.id
}

output "connect" {
  description = "Opens a shell on the instance"
  value = join(" ", [
    "aws ec2-instance-connect ssh --instance-id ${aws_instance.lab.id} --os-user ec2-user",
    "--connection-type eice --region ${data.aws_region.current.name}",
  ])
}

output "look" {
  description = "Shows there which programs call IMDS, and by which version"
  value       = "sudo /usr/local/bin/imds-analyzer tail"
}
