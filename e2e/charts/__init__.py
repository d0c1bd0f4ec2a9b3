"""The chart as other people's linters see it: checkov and kube-score over what helm renders."""
