"""One module for each kind of work, found by walking: `ROWS` maps a row's name to its function (its docstring is the title)."""
