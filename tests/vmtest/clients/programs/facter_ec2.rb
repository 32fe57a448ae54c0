# Facter's resolver for EC2, as its fact ec2_metadata asks it.
require 'facter'

puts Facter::Resolvers::Ec2.resolve(:metadata)
