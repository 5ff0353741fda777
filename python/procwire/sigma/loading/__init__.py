"""Load Sigma rules: from YAML, within limits, by way of pySigma, to `sigma.model`."""
