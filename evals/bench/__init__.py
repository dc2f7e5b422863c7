"""Speed on this machine, row by row: ratios against limits and against what one would use instead.

Ratios are taken from samples that alternate in one run, because machines differ from hour to hour. Each row is one
function and is written down when it is done, so that a killed run continues and rows can be run alone.
Quality is measured elsewhere (``evals run``).
"""
