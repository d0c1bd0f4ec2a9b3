"""The parts of `make bench-dns`. Each file measures one thing; none asserts its figures."""
