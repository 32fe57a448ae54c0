"""Makes up AWS accounts in moto's server, with logs of their instances, for `lab --account`."""
