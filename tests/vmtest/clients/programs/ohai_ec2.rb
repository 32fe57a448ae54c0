# Ohai's plugin for EC2, told by a hint that this is an instance.
require 'ohai'

File.write('ec2.json', '{}')
Ohai.config[:hints_path] = [Dir.pwd]
system = Ohai::System.new
system.all_plugins('ec2')
puts system.data['ec2'] ? 'found' : 'none'
