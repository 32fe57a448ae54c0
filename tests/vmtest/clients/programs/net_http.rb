# Ruby's net/http: without a token, for one, and with it or again without.
require 'net/http'

def ask(kind, path, headers = {})
  timeout = ENV.fetch('IMDS_TIMEOUT_S').to_i
  server = URI(ENV.fetch('IMDS_URL'))
  Net::HTTP.start(server.host, server.port, nil, read_timeout: timeout) do |http|
    response = http.request(kind.new(path, headers))
    response.is_a?(Net::HTTPSuccess) ? response.body : nil
  end
rescue Net::ReadTimeout
  nil
end

ask(Net::HTTP::Get, '/latest/meta-data/instance-id')
token = ask(Net::HTTP::Put, '/latest/api/token', 'X-aws-ec2-metadata-token-ttl-seconds' => '60')
ask(Net::HTTP::Get, '/latest/meta-data/instance-id', token ? { 'X-aws-ec2-metadata-token' => token } : {})
