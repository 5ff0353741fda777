"""Loading of Sigma rules: from YAML, within limits, through pySigma, to `sigma.model`."""
