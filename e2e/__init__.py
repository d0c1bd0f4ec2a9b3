"""Everything that needs a real cluster: the program that makes one, the tests, the benchmarks."""
