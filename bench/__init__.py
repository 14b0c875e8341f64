"""The bench: the product against what a user would pick instead, side by side in one run (`make bench`).

Not part of the product. A row is a function `(quick) -> Row` in a module of `bench/rows`; see `bench.model`.
"""
