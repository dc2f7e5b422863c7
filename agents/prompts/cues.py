# ruff: noqa: E501 - a pattern is read as one line
"""Words around a language, a format or a demand that say how it is meant, in Chinese and English."""

import re

LANGUAGE_CUE = re.compile(
    r"(?:\b(?:in|into|to|use|using|only|as|speak|write|plain|simple|never|no|not|avoid|any|and|or|both|than|of|with)|用|以|使用|为|成|说|写|是|和|或|及|、|不要|禁止|出现|含有?|含|夹杂|的|只|仅)\s*(?:clear |simple |fluent |good |natural |the )?$",
    re.IGNORECASE,
)
LANGUAGE_AFTER = re.compile(
    r"^\s*(?:only\b|answers?\b|repl(?:y|ies)\b|words?\b|回答|作答|输出|撰写|书写|回复|写|表达|解释|说明|呈现|答复|给出|描述|概括|总结|翻译|单词|词|字母?|[,，。.]|$)",
    re.IGNORECASE,
)
SUBJECT = re.compile(
    r"\b(?:users?|questions?|customers?|notes?|inputs?|documents?|texts?|materials?|sources?|readers?)\b[^,.]{0,16}\b(?:is|are|writes?|asks?|comes?|may be|can be|will be)\b|\b(?:from|the|given|an?|this)\s+$|"
    r"(?:用户|问题|笔记|原文|输入|材料|资料|读者|文档)[^,，。]{0,8}(?:是|为|可能|会)|(?:把|将|给出的?|下面的?|这段)\s*$",
    re.IGNORECASE,
)
FORMAT_CUE = re.compile(
    r"(?:\b(?:as|in|into|to|return|output|respond|reply|answer|format(?:ted)?|use|using|give|write|produce|only|valid|single|one|be|is|generate|provide|emit|present|a|an|with|no|not|never|avoid|any|without|contain|or|and|than|plain|of|add|include|prefer|follow|render)|"
    r"输出|返回|用|以|按|写成|给出|整理成|使用|为|是|一个|合法的?|有效的?|成|不要|禁止|任何|只|仅|严格|标准的?|采用|呈现|和|或|列成|做成|组织成|单个|必须|不得|出现|带|含|生成|提供|回复|回答|不|、|请|分|制作|的|嵌套|避免|写入|写进|放进|放到|放入|放在|置于|装在|存成|以下|下面|下述|the following|装进|转成|转换成|变成|填入|填进|整理为|存为|包成|里用|以标准)(?:\s*一[段篇个份张种封则]|\s+(?:short|simple|plain|small|single|clean|valid|neat|compact|nested|flat|proper|brief))?\s*$",
    re.IGNORECASE,
)
INPUT = re.compile(
    r"(?:\bfrom (?:the |a |this )?|\b(?:given|input|the user'?s|this|that|reads?|parse) (?:the |a )?|(?:给定|输入|读取|解析|收到)(?:的|一[个份])?)\s*$",
    re.IGNORECASE,
)
ONLY = re.compile(
    r"\b(?:only|just|nothing (?:but|else)|solely|exclusively|no other text|and nothing more|strictly)\b|只(?!有|要)|仅(?!有)|(?:不要|不得|没有|无|禁止)(?:有|输出|添加|加|写)?(?:任何)?(?:其他|其它|额外|多余|别的)",
    re.IGNORECASE,
)
POSITIVE = re.compile(
    r"\b(?:include|add|give|provide|use|cite|mention|end|finish|conclude|close|start|begin|open|write|list|show|state|explain|quote|define|ask|repeat|restate|must|should|always|need|have to|contain|put|append|insert|attach|"
    r"name|say|apologi[sz]e|greet|summari[sz]e|draw|rely|base|supplement|fill|describe|spell|wrap|link|reference|recommend|suggest|offer|justify|walk|work|think|reason|estimate|guess|speculate|make|tell|invite|sprinkle|insert|mark|place|with|follow|rephrase|every|each|accompan\w+|support|back|feature|highlight|embed|reveal|disclose)\b|"
    r"包含|包括|加上|加入|添加|附上?|给出|提供|使用|用|写|标出|标注|注明|标明|引用|列出?|说明|解释|展示|复述|重复|重述|开头|结尾|必须|务必|应|要|需|总是|始终|每|先|最后|放|举|带上?|补充|道歉|致歉|问候|打招呼|寒暄|总结|归纳|结合|依靠|依据|发挥|反问|追问|提出|猜|推测|估计|编|类比|比喻|插入|点缀|加粗|称赞|夸|透露|报|请|以|采用|保留|叙述|推荐",
    re.IGNORECASE,
)
