"""From packed passages to a checked answer, as a stream of events.

RCG: let the model read the passages, decide from several signals whether they hold the answer, then show only what
they support, and the notes' own words beside it. Nothing counts as shown before that decision.
RAG: mark every sentence as cited or as the model's own. ROG: the model alone, and the answer says so.

Everything that is asked about a draft (is it backed, is this sentence backed) follows the prompt that it was written
from, so the engine reads the notes once. That is also why sentences are checked when the draft is complete: a
question to the model would wait for the generation that it interrupts.
"""

import threading
import time
from collections.abc import Iterator, Sequence

from rag import phrases
from rag.conflict import conflicts
from rag.draftbook import Draftbook
from rag.drafts import draft_sentences
from rag.errors import GenerationCancelledError
from rag.evidence import EvidenceSentence, evidence_sentences, to_citation
from rag.orders import gives_orders
from rag.prompting import Tail, defuse, fill, prompt_hash, reading_order, render_passages, translation
from rag.protocols import GenerationRequest, Generator
from rag.quoting import around, quotes, unsaid, worth_quoting
from rag.settings import Settings
from rag.sufficiency import probability, signals
from rag.support import Verdict, judge_sentence
from rag.text import detect_language, split_sentences
from rag.types import Answer, Checked, Citation, Draft, Event, Mode, Passage, Sentence, Span, Stage, State, Support

_TRANSLATED_TOKENS = 160
_CANCELLED = "The answer was cancelled. Ask again when you like."


class Answering:
    """One question on its way to an answer."""

    def __init__(
        self,
        question: str,
        mode: Mode,
        passages: Sequence[Passage],
        *,
        generator: Generator,
        settings: Settings,
        book: Draftbook,
        cancelled: threading.Event,
    ) -> None:
        self.question = question
        self._asked = book.asked or question
        self.mode = mode
        self.passages = tuple(passages)
        self.generator = generator
        self.settings = settings
        self.book = book
        self.cancelled = cancelled
        self.language = detect_language(question)
        self.state = State.ANSWERED
        self._draft = ""
        self._verdicts: dict[str, Verdict] = {}
        # Sentences that are about what they cite but do not follow from it: the notes' own words are shown instead.
        self._replaced: dict[str, tuple[Citation, ...]] = {}
        self._evidence: list[EvidenceSentence] = evidence_sentences(self.passages)
        self._rendered = render_passages(reading_order(self.passages, settings.engine.passage_reuse))
        self._started = time.perf_counter()

    def events(self) -> Iterator[Event]:
        """Run the stages of the mode."""
        if self.mode is Mode.RCG:
            yield from self._only_from_notes()
            return
        yield Stage("write", {"passages": len(self.passages)})
        try:
            yield from self._write()
        except GenerationCancelledError:
            yield from self._keep()
            raise
        if self.mode is Mode.RAG:
            yield Stage("check", {"passages": len(self.passages)})
        yield from self._keep()

    def _keep(self) -> Iterator[Event]:
        for text in draft_sentences(self._draft, self._asked):
            yield from map(Checked, self._check(text))

    def _only_from_notes(self) -> Iterator[Event]:
        self.state = State.REFUSED
        if not self.passages:
            return
        yield Stage("write", {"passages": len(self.passages)})
        yield from self._write()
        yield Stage("judge", {"passages": len(self.passages)})
        if not self._may_show():
            return
        yield Stage("check", {"passages": len(self.passages)})
        for text in draft_sentences(self._draft, self._asked):
            self._check(text)
        self._quote()
        if self.book.sentences:
            self.state = State.ANSWERED
        yield from map(Checked, self.book.sentences)
        yield from self._show_conflicts()

    def answer(self) -> Answer:
        """The answer as it stands after the events."""
        self.book.timings["total"] = time.perf_counter() - self._started + self.book.timings.get("search", 0.0)
        refused = self.state is State.REFUSED
        nearest = tuple(dict.fromkeys(p.entry for p in self.passages if p.entry))[:3]
        if self.book.removed:
            self.book.spans.append(Span("removed", 0.0, {"sentences": tuple(self.book.removed)}))
        return Answer(
            question=self.question,
            mode=self.mode,
            state=self.state,
            text=phrases.refusal(self.language, nearest)
            if refused
            else phrases.compose(self.mode, self.language, self.book.sentences),
            sentences=() if refused else tuple(self.book.sentences),
            passages=self.passages,
            timings=dict(self.book.timings),
            tokens=dict(self.book.tokens),
            model=self.generator.model_id,
            prompt_hash=prompt_hash(self.mode, self.language),
            seed=self.settings.generation.seed,
            nearest=nearest if refused else (),
            notices=tuple(self.book.notices),
            trace=tuple(self.book.spans),
        )

    @property
    def _has_contrast(self) -> bool:
        return self.mode is Mode.RCG and self.settings.generation.context_weight > 0

    def _may_show(self) -> bool:
        """Whether the notes hold the answer, now that there is one to hold against them."""
        started = time.perf_counter()
        verified = self._verified()
        verdicts = [self._verdict(text) for text in draft_sentences(self._draft, self._asked)]
        found = signals(self._asked, self._draft, self.passages, verdicts, verified)
        held = probability(found)
        threshold = self.settings.generation.answer_threshold
        self.book.time("judge", started, **found.values(), held=round(held, 4), threshold=threshold)
        return held >= threshold

    def _verified(self) -> float:
        """The model's probability that the draft is backed by the passages and answers the question."""
        if not self._draft.strip():
            return 0.0
        stop_if(self.cancelled)
        values = {"passages": self._rendered, "question": self._asked, "answer": defuse(self._draft)}
        messages = fill(self.mode, self.language, values, Tail.VERIFY)
        return self.generator.choose(messages, phrases.YES_NO[self.language])[0]

    def _translated(self, sentence: str, terms: Sequence[str]) -> str:
        """A sentence in the language of the notes, the terms left as they are."""
        request = GenerationRequest(translation(sentence, terms), max_tokens=_TRANSLATED_TOKENS)
        translated = "".join(self.generator.generate(request, self.cancelled))
        stop_if(self.cancelled)
        return translated

    def _quote(self) -> None:
        """Put the notes' own words beside the model's."""
        candidates = quotes(self._asked, self.passages)
        first = [quote for cited in self._replaced.values() for quote in around(cited, candidates, self.passages)]
        said = "\n".join((*self._replaced, *(sentence.text for sentence in self.book.sentences)))
        found = unsaid(
            [*first, *worth_quoting(candidates, said, self._asked)],
            self.book.sentences,
            self.settings.generation.quotes,
        )
        self.book.sentences += [quote.sentence() for quote in found]

    def _write(self) -> Iterator[Event]:
        started = time.perf_counter()
        generation = self.settings.generation
        values = {"passages": self._rendered, "question": self._asked}
        stream = self.generator.generate(
            GenerationRequest(
                messages=fill(self.mode, self.language, values, history=self.book.told),
                max_tokens=generation.max_tokens,
                temperature=generation.temperature,
                top_p=generation.top_p,
                seed=generation.seed,
                contrast=fill(Mode.ROG, self.language, values) if self._has_contrast else (),
                contrast_weight=generation.context_weight if self._has_contrast else 0.0,
            ),
            self.cancelled,
        )
        yield from map(Draft, stream)
        result = stream.result
        if result.finish == "cancelled":
            # A sentence that breaks off may say the opposite of what was meant.
            self._draft = result.text[: max((start for start, _ in split_sentences(result.text)), default=0)]
            raise GenerationCancelledError(_CANCELLED)
        self.book.tokens.update(
            prompt=result.prompt_tokens, completion=result.completion_tokens, reused=result.reused_tokens
        )
        before = self.book.timings.get("search", 0.0)
        self.book.timings |= {"first_token": before + result.queued + result.prefill, "decode": result.decode}
        if result.finish in ("length", "repetition"):
            self.book.notices.append(phrases.CUT[self.language][result.finish])
        self._draft = result.text
        told: dict[str, object] = {"history": tuple(self.book.told)} if self.book.told else {}
        if self._asked != self.question:
            told["asked"] = self._asked
        self.book.time("write", started, finish=result.finish, text=result.text, **told)

    def _check(self, text: str) -> list[Sentence]:
        """Keep a sentence, or put it aside; what was kept."""
        sentence = self._supported(text)
        if sentence is None:
            self.book.removed.append(text)
            return []
        self.book.sentences.append(sentence)
        return [sentence]

    def _supported(self, text: str) -> Sentence | None:
        if self.mode is Mode.ROG:
            return Sentence(text, Support.OWN)
        if gives_orders(text):
            return None
        verdict = self._judge(text)
        if self.mode is Mode.RCG and (verdict.is_near or verdict.is_name):
            self._replaced[text] = verdict.citations
            return None
        if verdict.supported:
            return Sentence(text, Support.CITED, verdict.citations)
        return None if self.mode is Mode.RCG else Sentence(text, Support.OWN)

    def _show_conflicts(self) -> Iterator[Event]:
        """Put what the notes say differently elsewhere beside what was cited."""
        shown = {(c.file, c.start) for sentence in self.book.sentences for c in sentence.citations}
        cited = [e for e in self._evidence if (e.passage.file, e.start) in shown]
        for _, other in conflicts(cited, self._evidence):
            if (other.passage.file, other.start) in shown:
                continue
            shown.add((other.passage.file, other.start))
            self.state = State.CONFLICT
            text = phrases.elsewhere(self.language, " ".join(other.text.split()))
            sentence = Sentence(text, Support.CITED, (to_citation(other),))
            self.book.sentences.append(sentence)
            yield Checked(sentence)

    def _verdict(self, text: str) -> Verdict:
        """Whether the evidence supports a sentence: judged once, for the gate and for what is shown."""
        if text not in self._verdicts:
            self._verdicts[text] = judge_sentence(
                text, self._evidence, question=self._asked, translate=self._translated
            )
        return self._verdicts[text]

    def _judge(self, text: str) -> Verdict:
        started = time.perf_counter()
        verdict = self._verdict(text)
        self.book.timings["check"] = self.book.timings.get("check", 0.0) + time.perf_counter() - started
        self.book.spans.append(
            Span(
                "check",
                time.perf_counter() - started,
                {"sentence": text, "coverage": round(verdict.coverage, 3), "reason": verdict.reason},
            )
        )
        return verdict


def stop_if(cancelled: threading.Event) -> None:
    """Raise GenerationCancelledError when the event is set."""
    if cancelled.is_set():
        raise GenerationCancelledError(_CANCELLED)
