"""On a cluster: the only place with clocks and sockets."""
