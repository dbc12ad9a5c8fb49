"""Design columns, separation, propensity score, match, certificate and balance."""
