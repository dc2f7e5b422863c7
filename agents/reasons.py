"""What an agent says in English, as a code with its values, so that a page can say it in the reader's language.

Findings, routes and results carry their reason as one English sentence: that is what the command line and JSON print.
Each kind of sentence has a code here. ``SENTENCES[code].format(**values) == sentence`` for every sentence that
``read`` knows; one it does not know (the words of a model or of an engine) has no code. Where two kinds of sentence
begin alike, the more particular one stands first: the first that fits is taken.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from string import Formatter


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was found, chosen or left: ``values`` fill the sentence of ``code``."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)


SENTENCES: Mapping[str, str] = {
    # Contradictions between rules (agents.prompts.conflicts, .judge).
    "short_and_long": "length: one wants it short, the other long",
    "short_and_much": "length: short, and at least so much",
    "detailed_and_little": "length: detailed, and at most so little",
    "words_and_text": "length: a word or two, and a text beside it",
    "lengths_apart": "length: the ranges do not meet",
    "language_banned": "language: demanded and forbidden",
    "languages_two": "language: two different ones",
    "form_banned": "format: demanded and forbidden",
    "forms_exclusive": "format: two that exclude each other",
    "label_and_text": "format: a label, and a longer text",
    "label_and_beside": "format: a label, and a text beside it",
    "text_and_items": "format: one text, and several items",
    "data_and_text": "format: data, and text around it",
    "bullets_banned": "format: bullets forbidden, and a number of them wanted",
    "fallback_fixed": "fallback: nothing but fixed words, and something else",
    "fallbacks_two": "fallback: two things to do in one case",
    "fallback_banned": "fallback: it does what is forbidden",
    "tone_banned": "tone: demanded and forbidden",
    "tones_opposite": "tone: opposite manners",
    "texts_at_one_place": "place: two texts at the same {place}",
    "content_banned": "content: demanded and forbidden",
    "content_extra": "content: nothing else, and something else",
    "question_unmarked": "content: a question, and no question mark",
    "order_mutual": "order: each before the other",
    "order_two_at_end": "order: two parts at one end",
    "order_both_ends": "order: one part at both ends",
    "order_beyond_end": "order: a part at one end, and another beyond it",
    "order_circle": "order: the parts run in a circle",
    "labels_apart": "labels: two lists without a common label",
    "labels_language": "labels: in another language than is demanded",
    "judged": "judged: they contradict each other (probability {probability})",
    # The form of the output (agents.prompts.structured).
    "template_broken": "The JSON template cannot be parsed.",
    "field_twice": "The template holds {name!r} twice.",
    "listed_twice": "The list of fields names one twice.",
    "labels_missing": "It speaks of labels that it does not list.",
    "template_missing": "It points to a form below that is not there.",
    "fields_missing": "It wants {form} and names no field or column.",
    "field_count": "It says {said} fields and names {named}.",
    "field_mismatch": "List and template differ in: {names}.",
    "field_unknown": "It speaks of the field {name!r}, which the output does not have.",
    "field_label_type": "The field {name!r} is {type} and a label.",
    "field_types": "The field {name!r} is {types}.",
    "field_ranges": "The field {name!r} has two ranges.",
    "field_values": "The field {name!r} has two lists of allowed values.",
    "choice_two": "The {choice} is {one} and {other}.",
    # Examples that break a rule (agents.prompts.examples, .example_data, .example_language, .session).
    "fallback_otherwise": "The fallback is {text!r}, the example says it otherwise.",
    "no_label": "{text!r} is none of the labels.",
    "more_than_a_label": "It says more than the few words that are wanted.",
    "no_mark": "It has no {mark!r}.",
    "line_too_long": "A line has {count} {unit}, more than {limit}.",
    "row_columns": "A row has {count} columns, not {limit}.",
    "too_much": "It has {count} {unit}, more than {limit}.",
    "too_little": "It has {count} {unit}, fewer than {limit}.",
    "form_used": "It uses {forms}, which is forbidden.",
    "form_not": "It is no {form}.",
    "demand_unmet": "It lacks what is demanded: {text}",
    "ban_broken": "It holds {text!r}, which is forbidden.",
    "first_person": "It holds {text!r}, the first person.",
    "words_missing_at": "It lacks {text!r} at the {place}.",
    "words_missing": "It lacks {text!r}.",
    "beside_json": "It holds text beside the JSON.",
    "beside_table": "It holds text beside the table.",
    "beside_code": "It holds text beside the code block.",
    "part_before": "{one} comes before {other}.",
    "part_not_first": "{one} does not come first.",
    "part_not_last": "{one} does not come last.",
    "question_repeated": "The question is that of example {number}, the answer another.",
    "question_answered_twice": "An earlier example answers it otherwise.",
    "columns_are": "The columns are {names}.",
    "fields_extra": "It has {names}, which the form does not have.",
    "fields_lacking": "It lacks {names}.",
    "not_of_type": "{name} is not of type {type}.",
    "not_number": "{name} is no number.",
    "value_not_allowed": "{name} is {text!r}, which is not allowed.",
    "value_outside": "{name} is {value}, outside {low} to {high}.",
    "language_not": "It is not in {languages}.",
    "language_stray": "Prompt and question are in {language}, the reply is not.",
    # Choices made while mending (agents.prompts.mend_form, .mend_prompt).
    "got_field": "The {form} output had no field, so it got one: {name}.",
    "labels_from_examples": "The labels are those of the examples: {names}.",
    "count_follows": "The number of fields follows their list: {count}.",
    "reference_removed": "A reference to a form that is not there was taken out.",
    "labels_dropped": "Labels that are listed nowhere are no longer spoken of.",
    "list_follows": "The list of fields follows the template.",
    "template_extended": "The field {name} was added to the template.",
    "list_extended": "The field {name} was added to the list.",
    "first_stays": "Of {one!r} and {other!r} the first stays.",
    "examples_show": "The examples show another {name}.",
    "first_said_stays": "What is said first of {name} stays.",
    "template_follows": "The template follows what is said of {name}.",
    "rule_removed": "Of {quotes} the rule {text!r} was taken out ({how}).",
    "kept_by_examples": "the examples keep the other",
    "kept_more_conflicts": "it is in more conflicts",
    "kept_universal": "the other knows no exception",
    "kept_first": "default policy: the first one stays",
    "kept_chosen": "chosen by the person",
    # Routes of the router (agents.reason.router).
    "router_failed": "the router failed",
    "compares_entries": "compares entries of the notes",
    "linked_entries": "names an entry and asks for what is linked to it",
    "word_problem": "a word problem: several numbers and an amount asked",
    "puzzle": "a puzzle that names no entry",
    "names_entry": "names an entry of the notes",
    "self_contained": "can be worked out from the question alone",
    "needs_facts": "needs facts",
    "outside": "asks for an action or for live facts",
    "tool_determined": "the question itself determines a tool call",
    "asks_entries": "asks for entries",
    # How a run ended (agents.run and the agents).
    "not_in_notes": "the notes do not hold the answer",
    "model_silent": "the model gave no answer",
    "model_no_result": "the model reached no answer",
    "samples_differ": "no two samples agree",
    "thought_cut": "the reasoning was cut at its token limit",
    "equation_wrong": "the reasoning holds a wrong equation: {equation}",
    "limit_tokens": "LimitError: the limit of {count} generated tokens was reached",
    "limit_steps": "LimitError: the limit of {count} steps was reached",
    "limit_seconds": "LimitError: the limit of {count} seconds was reached",
}
NUMBERS = frozenset("probability said named count limit number low high".split())
"""Values that are numbers; any other one is some text."""


_NUMBER = r"\d[\d.e+-]*"


def read(sentence: str) -> Reason | None:
    """The code and the values of a sentence; None for one in an agent's or a model's own words."""
    for code, pattern in _patterns().items():
        if match := pattern.fullmatch(sentence):
            quoted = {name for _, name, _, conversion in Formatter().parse(SENTENCES[code]) if conversion}
            pairs = match.groupdict().items()
            return Reason(code, {n: str(ast.literal_eval(text)) if n in quoted else text for n, text in pairs})
    return None


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {code: re.compile(_pattern(sentence), re.DOTALL) for code, sentence in SENTENCES.items()}


def _pattern(sentence: str) -> str:
    """A value in quotes is the literal that ``repr`` wrote."""
    quoted = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
    parts = []
    for text, name, _, conversion in Formatter().parse(sentence):
        value = quoted if conversion else _NUMBER if name in NUMBERS else ".+?"
        parts.append(re.escape(text) + (f"(?P<{name}>{value})" if name else ""))
    return "".join(parts)
