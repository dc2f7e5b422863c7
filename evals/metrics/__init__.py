"""Metrics: pure functions from recorded answers and gold to scores, one family a module.

retrieval    is the evidence found          refusals      is silence used well
answers      is the answer right            faithfulness  is the answer in the evidence
citations    do the citations carry it      cost          how long and how many tokens
statistics   intervals, tests, calibration
"""
