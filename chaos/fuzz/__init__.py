"""Seeded, time-bounded fuzzing of everything that reads what a stranger sent.

A `Target` makes inputs (mutations of real samples, or a grammar) and feeds them to a reader. A reader may refuse with its
own declared errors; anything else is a crash. Each input has a watchdog; memory must not grow from the same inputs.
`python -m chaos.fuzz --seconds 10 --seed 1 [TARGET …]`; the seed and the number of an input bring it back.
"""
