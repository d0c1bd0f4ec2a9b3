"""holdfast: the control loops behind the us-east-1 outage of 20 October 2025, on Kubernetes."""

__version__ = "0.1.0"
