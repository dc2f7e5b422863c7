# ruff: noqa: E501 - a pattern or a table is read as one line
"""What prompts speak of, in Chinese and English: languages, forms, tones, things to include or to leave out."""

import re
from collections.abc import Iterator, Mapping

from agents.prompts.choices import CHOICES, excludes, is_second_order

_LANGUAGES: Mapping[str, str] = {
    "zh": r"\b(?:Simplified |Traditional |Mandarin )?Chinese\b|\bMandarin\b|(?:简体|繁体)?中文|汉语|普通话|简体字?|繁体字?",
    "en": r"\b(?:American |British |plain )?English\b|英文|英语",
    "fr": r"\bFrench\b|法文|法语",
    "de": r"\bGerman\b(?! chars)|德文|德语",
    "es": r"\bSpanish\b|西班牙文|西班牙语",
    "ja": r"\bJapanese\b|日文|日语",
    "ko": r"\bKorean\b|韩文|韩语",
    "ru": r"\bRussian\b|俄文|俄语",
    "it": r"\bItalian\b|意大利语|意大利文",
    "pt": r"\bPortuguese\b|葡萄牙语",
}
_MIRROR = re.compile(
    r"(?:same language|language (?:of|in which|that|used by) (?:the )?(?:user|question|reader|customer|message|input|query)|"
    r"(?:user|question|customer|reader|asker)'?s? (?:own )?language|language (?:they|the user|the customer|the reader) (?:use|write)s?)|"
    r"(?:与|和|跟)?(?:用户|提问|问题|读者|客户|来信|输入)(?:者)?(?:所)?(?:使用|用)?(?:的|所用)?(?:相同|同样|一致|同一|一样)?的?语言|用什么语言(?:提?问|写).{0,6}用什么语言",
    re.IGNORECASE,
)
# "English commas" are signs, not a language.
_SIGNS = re.compile(
    r"\s*(?:的)?(?:逗号|标点|分号|字母|引号|冒号|句号|括号|符号|双引号|半角|缩写|名称?|commas?|punctuation|letters?|alphabet|names?|quotes)",
    re.IGNORECASE,
)
_LANGUAGE = {code: re.compile(pattern, re.IGNORECASE) for code, pattern in _LANGUAGES.items()}

_FORMATS: Mapping[str, str] = {
    "json": r"\bJSON(?:L)?\b",
    "xml": r"\bXML\b",
    "yaml": r"\bYAML\b",
    "csv": r"\bCSV\b|\bTSV\b|comma[- ]separated (?:values|line|row)|逗号分隔的?(?:值|文本|行)",
    "html": r"\bHTML\b",
    "table": r"\b(?:Markdown )?tables?\b|(?:Markdown ?)?表格",
    "bullets": r"\b(?:bullet(?:ed)?(?: points?| lists?)?|bullets)\b|(?<=\bno )lists?\b|\b(?:as|in|into|use|using|avoid|without|any) (?:a )?lists?\b(?! of)|\bunordered list\b|项目符号(?:列表)?|无序列表|要点列表|分点(?:列出|作答|回答)?|列表(?:形式|格式)?|若干条|逐条|分条|分(?:成|为)?要点|[条点]列|分(?:成|为)?[几多若干两三四五六七八九十]{1,2}个?[点条]|\b(?:as a|in) list(?: form)?\b|\bpoint by point\b",
    "numbered": r"\bnumber (?:the|all|each|every|your) (?:\w+ )?(?:steps?|points?|items?|lines?|questions?)\b|\bnumbered (?:list|steps|points)\b|\bordered list\b|有序列表|编号列表|带编号的|编号步骤",
    "plain": r"\bplain[- ]text\b|纯文本",
    "prose": r"\b(?:flowing |continuous |running )?prose\b|\b(?:a|one|single) (?:continuous |flowing |single )?paragraph\b|连贯的?(?:段落|文字)|自然段|散文|一[整大]段|一段(?:连贯的?)?(?:话|文字|文本)|成段",
    "markdown": r"\bMarkdown\b(?! table)|(?<![A-Za-z])Markdown(?! ?表格)",
    "label": r"\b(?:yes or no|yes/no|true or false) only\b|\bonly (?:yes or no|[\"“']?yes[\"”']? or [\"“']?no[\"”']?)\b|只(?:能)?(?:回答|回复|输出|写)[“\"]?是[”\"]?(?:或|/|或者)[“\"]?(?:否|不是)[”\"]?|\b(?:only|just) (?:the |a |one |that )?(?:label|category(?: name)?|one word|single word|class(?: name)?)\b|\b(?:one|a single) (?:word|label)\b|\bwith (?:the |a |one )?(?:label|category|class)(?: name)? (?:alone|only)\b|一个词|单个(?:词|标签)|只(?:输出|回答|给出)(?:类别|标签)",
}
_FORMAT = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _FORMATS.items()}

STRUCTURED = frozenset({"json", "xml", "yaml", "csv", "table"})
"""Forms that have fields or columns."""

_WHOLE = frozenset({"json", "xml", "yaml", "csv", "html", "table", "plain", "prose", "label", "bullets", "numbered"})
_SAME = (
    {"plain", "prose"}, {"markdown", "table"}, {"markdown", "bullets"}, {"markdown", "numbered"}, {"markdown", "prose"},
    {"plain", "label"}, {"markdown", "label"}, {"plain", "csv"},
    {"bullets", "numbered"},
)  # fmt: skip
# Unmarked forms within a plain text are a matter of taste; these are exclusive on top of those in _WHOLE.
_ALSO_EXCLUSIVE = (
    {"plain", "markdown"},
    {"json", "markdown"},
    {"xml", "markdown"},
    {"csv", "markdown"},
    {"yaml", "markdown"},
)


def exclusive_formats(one: str, other: str) -> bool:
    """Whether an answer cannot have both forms."""
    pair = {one, other}
    if len(pair) == 1 or pair in _SAME:
        return False
    return pair in _ALSO_EXCLUSIVE or pair <= _WHOLE


TONES: Mapping[str, str] = {
    "formal": r"\b(?:formal|professional|business[- ]like|businesslike|academic|scholarly)(?:ly)?\b|正式|书面语|专业(?:的)?(?:语气|口吻|语言)|学术|严谨|庄重|严肃",
    "casual": r"\b(?:casual|informal|colloquial|chatty|relaxed|laid-back|conversational)(?:ly)?\b|\bslang\b|口语化?|随意|轻松|闲聊|网络用语|俚语|聊天(?:的)?(?:语气|口吻)",
    "humorous": r"\b(?:humou?r(?:ous)?|funny|witty|jokes?|playful|puns?)\b|幽默|诙谐|搞笑|俏皮|风趣|调侃|笑话|玩笑|段子",
    "serious": r"\b(?:serious|solemn|matter-of-fact)\b|严肃|庄重",
    "neutral": r"\b(?:neutral|objective|impartial|unbiased|dispassionate|sober|factual)(?:ly)?\b|中立|客观|不偏不倚",
    "persuasive": r"\b(?:persuasive(?:ly)?|enthusias(?:m|tic(?:ally)?)|promotional|excited|sales[- ]?y|emotional|opinionated|take (?:a |sides)|hype)\b|热情洋溢|煽动|煽情|有感染力|推销|营销味|吹捧|夸张|带感情|情绪化|劝说|说服读者|倾向性|表明立场|强烈推荐",
    "first person": r"\bfirst[- ]person\b|第一人称|[\"“'](?:I|we|my|我们?)[\"”']",
    "second person": r"\bsecond[- ]person\b|第二人称|[\"“'](?:you|your)[\"”']",
    "third person": r"\bthird[- ]person\b|第三人称",
    "polite": r"\b(?:polite(?:ly)?|courteous(?:ly)?|respectful(?:ly)?|well-mannered)\b|礼貌|有礼|(?<!不)客气|尊重|恭敬|谦逊",
    "friendly": r"\b(?:friendly|warm(?:ly)?|empathetic|encouraging|supportive|cordial(?:ly)?|caring|gentle|gently|welcoming|compassionate)\b|友好|友善|亲切|热情|热心|温暖|亲和|温和|温柔|和蔼|体贴|鼓励",
    "blunt": r"\b(?:blunt(?:ly)?|harsh(?:ly)?|sarcas(?:m|tic(?:ally)?)|rude(?:ly)?|cold(?:ly)?|curt(?:ly)?|mocking(?:ly)?|stern(?:ly)?|snarky|scornful(?:ly)?|dismissive(?:ly)?|abrasive|brusque(?:ly)?|condescending(?:ly)?|insult(?:ing)?(?:ly)?|impatient(?:ly)?|aggressive(?:ly)?|unfriendly)\b|讽刺|挖苦|冷淡|冷冰冰|冷漠|生硬|粗鲁|粗暴|毒舌|刻薄|尖刻|尖酸|辛辣|嘲讽|嘲笑|讥讽|奚落|揶揄|傲慢|不客气|不耐烦|敷衍|严厉",
    "simple": r"\b(?:(?:simple|plain|everyday) (?:words?|language|terms|sentences?)|layman'?s? terms?|for (?:a )?(?:child(?:ren)?|beginners?|laypeople)|without jargon|no jargon)\b|通俗|浅显|大白话|白话|人话|少用[^，。]{0,4}术语|小学生|外行(?:人)?(?:也)?(?:能|看得)懂|简单(?:的)?(?:词|语言|话)|初学者能懂",
    "elaborate": r"\b(?:sophisticated|flowery|ornate|elaborate(?:ly)?|(?:long and )?(?:complex|convoluted) sentences|literary (?:style|language))\b|华丽|辞藻|长句|晦涩|文言|古文",
    "upper case": r"\b(?:upper ?case|capital letters|all[- ]caps|in capitals)\b|大写",
    "lower case": r"\blower ?case\b|小写",
    "vivid": r"\b(?:vivid(?:ly)?|lively|colou?rful language)\b|生动|形象|活泼|有文采",
    "dry": r"\b(?:dry|plain and factual|unadorned)\b|平实|朴实|平铺直叙|(?:不要?|禁止)(?:用|使用)?任何修辞",
    "technical": r"\b(?:(?:highly |dense |precise )?technical (?:terms?|language|vocabulary|terminology|jargon)|expert[- ]level|specialist (?:terms?|vocabulary|terminology)|(?:use|with|dense) jargon)\b|专业术语|行话|术语密集|专家(?:级|水平)|学术术语",
}
_TONE = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in {**TONES, **CHOICES}.items()}
_OPPOSITE_TONES = (
    {"formal", "casual"}, {"formal", "humorous"}, {"serious", "humorous"}, {"serious", "casual"},
    {"first person", "third person"}, {"first person", "second person"}, {"second person", "third person"},
    {"neutral", "persuasive"}, {"polite", "blunt"}, {"friendly", "blunt"}, {"simple", "technical"}, {"simple", "elaborate"}, {"vivid", "dry"}, {"upper case", "lower case"},
    {"neutral", "blunt"}, {"neutral", "humorous"},
)  # fmt: skip


def opposite_tones(one: str, other: str) -> bool:
    """Whether two manners exclude each other."""
    return {one, other} in _OPPOSITE_TONES or excludes(one, other)


CONCEPTS: Mapping[str, str] = {
    "emoji": r"\bemojis?\b|\bemoticons?\b|表情(?:符号|包)?|颜文字",
    "greeting": r"\bgreet(?:ing|ings|s)?\b|\bsalutations?\b|\bhello\b|问候语?|打招呼|寒暄|问好",
    "apology": r"\bapolog(?:y|ies|i[sz]e|i[sz]ing)\b|\bsorry\b|道歉|致歉|抱歉",
    "citation": r"\bcit(?:e|es|ed|ing|ations?)\b|\bsources?\b|\b(?:reference|footnote)s?\b|引用|出处|来源|参考文献|引文|脚注|编号(?!列表|步骤|的)|\bnote numbers?\b|\[n\]",
    "fence": r"\bcode (?:fences?|blocks?)\b|\bfenced\b|```|代码(?:块|围栏)|围栏",
    "heading": r"\b(?:headings?|headers?|section titles?)\b|小标题|标题",
    "explanation": r"\bexplanations?\b|\bexplain(?:s|ing)?\b|\bjustif(?:y|ication)\b|\brationale\b|\b(?:your |the |chain of |step-by-step )?reasoning\b|\breasons?\b|\bcommentary\b|\b(?:say|tell|describe|show|write|state) (?:\w+ ){0,6}?(?:how|why)\b|解释|讲解|(?:不?加上?|附上?)说明|说明理由|理由|推理(?:过程|步骤)?|思路|原因|思考过程",
    "link": r"\b(?:links?|URLs?|hyperlinks?)\b|链接|网址",
    "first_person": r"\bfirst[- ]person\b|第一人称",
    "question": r"\b(?:follow-up|clarifying|closing|rhetorical) questions?\b|\b(?:ask|pose|raise|(?:end|close|finish|open|start|begin) with) (?:\w+ ){0,3}questions?\b(?! mark)|\bask (?:the user|them|back)\b|提问(?!者|的)|反问|追问|澄清(?:问题)?|(?:提出|问|加)(?:任何|一个|几个)?(?:后续|相关)?的?问题|以(?:一个)?[^，。]{0,4}(?:问题|问句)(?:来)?(?:结尾|收尾|结束|开头)|向用户提问",
    "question_mark": r"\bquestion marks?\b|问号",
    "disclaimer": r"\bdisclaimers?\b|免责声明",
    "opinion": r"\b(?:personal |own )?(?:opinions?|views?)\b|个人(?:观点|看法|意见)|主观(?:看法|评价|判断)|自己的看法",
    "digits": r"\bdigits?\b|\bnumerals\b|阿拉伯数字",
    "formula": r"\bformula(?:s|e)?\b|\bequations?\b|\bLaTeX\b|公式|数学式",
    "example": r"\bexamples?\b|\bfor instance\b|举例|例子|例句|实例|示例",
    "analogy": r"\banalog(?:y|ies)\b|\bmetaphors?\b|比喻|类比|打比方",
    "exclamation": r"\bexclamation (?:marks?|points?)\b|感叹号|叹号",
    "abbreviation": r"\b(?:abbreviat(?:e[sd]?|ing|ions?)|acronyms?|contractions?)\b|缩写|简称",
    "parentheses": r"\b(?:parenthes[ie]s|brackets?)\b|括号",
    "summary": r"\b(?:one-line |short |brief |final |closing )?summar(?:y|ies)\b|\btake-?aways?\b|\brecap\b|总结|小结|摘要|归纳",
    "repeat": r"\b(?:repeat|restate|rephrase|echo)(?:s|ing)? (?:the |their |back the )?(?:user'?s? )?(?:questions?|request|query)\b|(?:复述|重复|重述)(?:一遍)?(?:用户的?)?(?:问题|提问|题目|原题)",
    "outside": r"\b(?:outside|own|prior|general|background|external|world) (?:knowledge|information|facts|sources)\b|\bknowledge (?:from )?outside\b|\bwhat you (?:already )?know\b|外部知识|自己的知识|(?:笔记|资料|材料|文档|原文)(?:以外|之外)的?(?:知识|内容|信息)?|常识|背景知识|自身知识|已有知识",
    "guess": r"\bguess(?:es|ing)?\b|\bspeculat(?:e|ion|ing)\b|\bmake (?:things |it )?up\b|\binvent(?:ed|ing|s)?\b|\bestimate\b|猜测?|推测|编造|臆测|揣测|估计|杜撰",
    "preamble": r"\bpreambles?\b|\bintroduct(?:ion|ory)(?: sentence| paragraph| line)?s?\b|\bopening (?:line|sentence|remark|phrase)s?\b|开场白|前言|引言|导语|铺垫",
    "closing": r"\b(?:closing (?:line|sentence|remark|phrase)s?|sign-?off|conclusions?|concluding (?:sentence|paragraph|remark)s?)\b|结束语|落款|结语|客套话|收尾",
    "bold": r"\bbold(?:face|ed)?(?: text| type)?\b|加粗|粗体",
    "units": r"\bunits?\b|单位",
    "quote": r"\bquot(?:e|es|ations?|ing)\b|原句|原文引述|摘录|逐字",
    "price": r"\bpric(?:e|es|ing)\b|\bcosts?\b|\bdiscounts?\b|价格|报价|折扣|费用|优惠",
    "names": r"\b(?:personal |real |customer(?:'s)? |user(?:'s)? |people'?s? |first |last |full |given )names?\b|人名|姓名|客户名|真名",
    "contact": r"\b(?:email addresses|phone numbers?|contact (?:details|information))\b|联系方式|电话(?:号码)?|邮箱",
    "steps": r"\bstep[- ]by[- ]step\b|\b(?:intermediate|working|calculation) steps?\b|\bsteps\b|步骤|逐步|一步一步|分步|计算过程",
    "extra": r"\bnothing (?:besides|beyond (?:it|that)|more)\b|\b(?:anything|nothing) (?:else|but|besides|apart|except|around|outside|before|after|may|must|should|is)\b|(?:(?<=output )|(?<=return )|(?<=print )|(?<=write )|(?<=add ))nothing\b(?! about| on)|\b(?:no|any) (?:other|extra|additional|further)(?: (?:text|words?|content|output|commentary))?\b|\b(?:other|extra|additional|surrounding) (?:text|words|content|prose)\b|(?:其他|其它|额外|多余)(?:的)?(?:任何)?(?:内容|文字|文本|话|说明|字)|别的(?:内容|话|文字)?",
    "passage": r"\b(?:add|append|attach|include|write|finish with|close with|end with|begin with|start with|open with) (?:a|an|one|two|some|a few|another)(?: \w+)? (?:paragraphs?|sentences?|notes?|remarks?)\b|(?:加上?|附上?|写上|补上?|另写|再写)(?:一|几|两)小?[段句]",
    "code": r"\b(?:source |sample )?code(?! (?:fence|block))(?: snippets?| samples?| examples?)?\b|代码(?!块|围栏)(?:示例|片段)?",
    "title": r"\btitles?\b|题目|题名",
    "translation": r"\btranslat(?:e|es|ion|ions|ing)\b|译文|翻译",
    "answer": r"\b(?:final |direct |short )?(?:answers?|conclusion|result|verdict)\b|答案|结论|结果|最终结果",
    "evidence": r"\bevidence\b|\bproof\b|依据|证据|论据",
    "definition": r"\bdefinitions?\b|\bdefine\b|定义",
    "warning": r"\b(?:safety )?warnings?\b|\bcaveats?\b|警告|警示|注意事项|风险提示",
    "recommendation": r"\brecommend\w*|推荐",
    "dialogue": r"\bdialogues?\b|\bdirect speech\b|对话|对白",
    "hashtag": r"\bhashtags?\b|话题标签",
    "rhyme": r"\brhym(?:e[sd]?|ing)\b|押韵",
    "quotation_marks": r"\bquotation marks?\b|引号",
    "dash": r"\b(?:em[- ])?dash(?:es)?\b|破折号",
    "ellipsis": r"\bellips[ie]s\b|省略号",
    "competitor": r"\bcompetitors?\b|竞争对手|竞品",
    "semicolon": r"\bsemicolons?\b|分号",
    "date": r"\bdates?\b|日期",
    "markup_comment": r"\bcomments?\b|注释",
    "background": r"\bbackground\b|\bcontext\b|\bhistory\b|背景|历史沿革|上下文",
    "alternative": r"\balternatives?\b|替代方案|备选(?:方案)?|其他方案",
    "praise": r"\b(?:praise|compliments?|flatter(?:y|ing)?)\b|夸奖|称赞|表扬|恭维",
    "confidence": r"\bconfidence(?: score| level)?\b|置信度|把握程度|信心",
    "ending_punctuation": r"\b(?:full stops?|periods?|trailing punctuation|final punctuation)\b|句号|句末标点|标点",
    "capital": r"\b(?:all[- ]caps|capital letters|upper ?case|lower ?case)\b|大写|小写",
}
_CONCEPT = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in CONCEPTS.items()}

EXTRA_TEXT = frozenset(
    {
        "greeting",
        "apology",
        "explanation",
        "disclaimer",
        "preamble",
        "closing",
        "repeat",
        "question",
        "summary",
        "warning",
        "steps",
        "extra",
        "opinion",
        "background",
        "passage",
    }
)
"""What "output only X, nothing else" leaves out."""


def languages_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Languages that a text names, as (code, start, end) in order of place; "mirror" for that of the question."""
    if match := _MIRROR.search(text):
        yield "mirror", match.start(), match.end()
    found = [
        (m.start(), m.end(), code)
        for code, pattern in _LANGUAGE.items()
        for m in pattern.finditer(text)
        if not _SIGNS.match(text[m.end() :])
    ]
    for start, end, code in sorted(found):
        yield code, start, end


def formats_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Forms that a text names, as (name, start, end)."""
    yield from _search(_FORMAT, text)


def tones_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Manners that a text names, as (name, start, end)."""
    yield from (found for found in _search(_TONE, text) if not is_second_order(found[0], text))


def concepts_in(text: str) -> Iterator[tuple[str, int, int]]:
    """Things of the lexicon that a text names, as (concept, start, end)."""
    yield from _search(_CONCEPT, text)


def _search(patterns: Mapping[str, re.Pattern[str]], text: str) -> Iterator[tuple[str, int, int]]:
    for name, pattern in patterns.items():
        for match in pattern.finditer(text):
            yield name, match.start(), match.end()
