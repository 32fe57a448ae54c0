# Perl's HTTP::Tiny: without a token, for one, and with it or again without.
use strict;
use warnings;
use HTTP::Tiny;

my $http = HTTP::Tiny->new(timeout => $ENV{IMDS_TIMEOUT_S});

sub ask {
    my ($method, $path, %headers) = @_;
    my $response = $http->request($method, $ENV{IMDS_URL} . $path, { headers => \%headers });
    return $response->{success} ? $response->{content} : undef;
}

ask('GET', '/latest/meta-data/instance-id');
my $token = ask('PUT', '/latest/api/token', 'X-aws-ec2-metadata-token-ttl-seconds' => 60);
ask('GET', '/latest/meta-data/instance-id', defined $token ? ('X-aws-ec2-metadata-token' => $token) : ());
