"""Judges: does the evidence support the claim? Each is measured by ``evals.judge_check`` before it is believed.

base      the protocol           lexical   numbers, names, negation, overlap; no model; the floor for the others
llm       one-token verdicts     combined  logistic combination of the two, fitted on the dev split of the check set
endpoint  the same over a server nli       a cross-encoder for entailment
"""
