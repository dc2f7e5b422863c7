"""How well the prompt agents find and repair defects, on prompts of our own that were spoilt on purpose.

planted   the set: seed prompts, their mutations, and prompts written by hand
repaired  has a planted defect gone, told without the agents' own checks
score     precision, recall, fix rate and their intervals, beside trivial baselines
"""
