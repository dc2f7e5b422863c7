from rag.clauses import least_carried, misplaced
from rag.evidence import EvidenceSentence, features
from rag.types import Passage


def sentences(*texts, title=""):
    passage = Passage(1, "c", "a.md", title, 0, 100, 1.0, {}, "", line_start=1, line_end=1)
    return [EvidenceSentence(passage, 0, 9, text, features(text), features(title)) for text in texts]


def test_a_sentence_in_the_notes_words_is_carried_whole():
    note = sentences("石榴网络把两个支路的输出相加，得到最后的特征图。")
    assert least_carried("石榴网络把两个支路的输出相加，得到最后的特征图。", "石榴网络怎么合并支路？", note) == 1.0


def test_one_invented_clause_among_true_ones_shows():
    note = sentences("石榴网络把两个支路的输出相加，得到最后的特征图。")
    text = "石榴网络把两个支路的输出相加，再经过循环单元排序筛选。"
    assert least_carried(text, "石榴网络怎么合并支路？", note) < 0.3


def test_what_the_question_assumes_must_be_carried_too():
    note = sentences("每一步保留得分最大的三个候选。", title="石榴搜索")
    text = "石榴搜索保证找到全局最优解是因为每一步保留得分最大的三个候选。"
    assert least_carried(text, "石榴搜索为什么保证找到全局最优解？", note) < 0.6
    assert least_carried("每一步保留得分最大的三个候选。", "石榴搜索怎么做？", note) == 1.0


def test_an_addition_is_not_put_together_from_two_sentences():
    notes = sentences("桃花模块负责压缩通道。", "石榴模块负责恢复分辨率。")
    together = least_carried("压缩通道恢复分辨率靠一个模块。", "桃花和石榴做什么？", notes)
    assert together < least_carried("桃花模块负责压缩通道。", "桃花和石榴做什么？", notes)


def test_short_clauses_and_nothing_cited():
    assert least_carried("对。", "对吗？", []) == 1.0
    assert least_carried("石榴网络共有四十八层卷积。", "几层？", []) == 0.0


def test_after_is_not_during():
    note = sentences("石榴剪枝在训练中完成。")
    assert misplaced("石榴剪枝在训练后完成。", note) == {"训练后"}
    assert misplaced("石榴剪枝在训练之后完成。", note) == {"训练后"}
    assert misplaced("石榴剪枝在训练中完成，测试前检查。", note) == frozenset()
    assert misplaced("训练后还要微调。", sentences("训练中开启，训练后导出。")) == frozenset()
