# The AWS SDK for Ruby: the credentials of the instance's role.
require 'aws-sdk-core'

timeout = ENV.fetch('IMDS_TIMEOUT_S').to_i
credentials = Aws::InstanceProfileCredentials.new(retries: 0, http_read_timeout: timeout)
puts credentials.set? ? 'found' : 'none'
