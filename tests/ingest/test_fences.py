import time

from ingest.outline import split_lines
from ingest.readers.fences import find_fences


def fences(text: str) -> dict[int, int]:
    return find_fences(split_lines(text))


def test_fences_close_with_the_same_mark_of_at_least_the_same_length():
    assert fences("```py\n~~~\n``\n````\n") == {0: 3}
    assert fences("~~~\n```\n~~~\n") == {0: 2}
    assert fences("````\n```\n````\n") == {0: 2}


def test_inline_code_and_a_fence_that_never_closes_are_no_fences():
    assert fences("```inline```\ntext\n```\nmore\n") == {}
    assert fences("````\nopen\n```\ncode\n```\n") == {2: 4}


def test_indented_fences_and_fences_in_bullets():
    assert fences("    ```python\n    x\n    ```\n- ```\n  y\n  ```\n") == {0: 2, 3: 5}


def test_many_open_fences_take_linear_time():
    before = time.perf_counter()
    assert fences("```python\n" * 20_000) == {}
    assert time.perf_counter() - before < 2
