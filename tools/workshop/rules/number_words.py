"""Numbers in words: "fifty thousand" in the English half, 五万 in the Chinese one.

Words are freer than digits: "both" is 两个, "a third" 三分之一, and "the two agree" may
well be 结果一致. So a pair of cells differs only where each half has a number that the
other half has in no form: not in digits, not in words, not as a part of a word.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.workshop.rules.reading import Markdown, Problem, pairs

UNITS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
WORDS = {word: value for value, word in enumerate(UNITS, start=1)}
WORDS |= {word: 10 * value for value, word in enumerate(TENS, start=2)}
WORDS |= SCALES
ENGLISH = re.compile(
    rf"\b(?:{'|'.join(WORDS)})(?:(?:[ -]|\s+and\s+)(?:{'|'.join(WORDS)}))*\b", re.I
)
# "four in ten" may be 四成, "four fifths" 八成.
SHARE = re.compile(
    rf"{ENGLISH.pattern} (?:in|out of) (?:a |{ENGLISH.pattern})"
    rf"|{ENGLISH.pattern}[ -](?:thirds|quarters|\w+ths)\b",
    re.I,
)
# Not counted, but enough for a number on the Chinese side.
ALSO = {
    2: r"\b(both|twice|second|double\w*|twofold|pairs?|halves|half|either|neither)\b",
    3: r"\b(third|thrice|tripl\w+|threefold)\b",
    4: r"\b(fourth|quarters?|fourfold|quadrupl\w+)\b",
    12: r"\bdozens?\b",
}
ORDINALS = ("fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
ALSO |= {n: rf"\b{word}s?\b" for n, word in enumerate(ORDINALS, start=5)}

DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")}
DIGITS |= {"两": 2, "〇": 0, "双": 2, "俩": 2}
POWERS = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10**4, "亿": 10**8}
NUMERAL = "零〇一二两三四五六七八九十百千万亿"
MEASURES = (
    "个种条次层步件张本项组行列台位名人部类段份遍倍年月天周小秒轮批只门座级块章节篇道维"
    "点处句词元颗粒格塔枚片路户用物样任候"
)
# Before a measure word, or in tens of thousands; not 第三, 几千, 千分之一.
CHINESE = re.compile(
    rf"(?<![第几数上成之{NUMERAL}])"
    rf"(?:([{NUMERAL}]+)(?=[{MEASURES}])|([二两三四五六七八九十百][{NUMERAL}]*[万亿]))"
)


def english(text: str) -> set[int]:
    """Give the numbers from two on that an English text has in words, shares apart."""
    return {n for n in map(_value, ENGLISH.findall(SHARE.sub("", text))) if n > 1}


def _value(words: str) -> int:
    """Give the value of "two hundred and fifty thousand"."""
    total = part = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word == "hundred":
            part = max(part, 1) * 100
        elif word in SCALES:
            total, part = total + max(part, 1) * SCALES[word], 0
        else:
            part += WORDS.get(word, 0)
    return total + part


def chinese(text: str) -> set[int]:
    """Give the numbers from two on that stand before a measure word or a noun."""
    return {n for a, b in CHINESE.findall(text) if (n := _worth(a or b)) > 1}


def _worth(numeral: str) -> int:
    """Give the value of 二百五十万; of digits one after the other (三五), 0."""
    if len(numeral) > 1 and not set(numeral) & {*POWERS, *MYRIADS}:
        return 0
    total = part = digit = 0
    for char in numeral:
        if char in MYRIADS:
            total, part, digit = (total + part + digit or 1) * MYRIADS[char], 0, 0
        elif char in POWERS:
            part, digit = part + (digit or 1) * POWERS[char], 0
        else:
            digit = DIGITS[char]
    return total + part + digit


def in_any_chinese_form(text: str) -> set[int]:
    """Give all numbers that a Chinese text may be said to hold: 三五条 has 3 and 5."""
    runs = re.findall(f"[{NUMERAL}双俩]+", text)
    parts = {DIGITS.get(c, POWERS.get(c, 0)) for run in runs for c in run}
    two = {2} if re.search("[半对都另]|各自|互相|其余", text) else set()
    return {_worth(run) for run in runs} | parts | two | _digits(text)


def in_any_english_form(text: str) -> set[int]:
    """Give all numbers that an English text may be said to hold: "both" has 2."""
    words = set(map(_value, ENGLISH.findall(text)))
    also = {n for n, form in ALSO.items() if re.search(form, text, re.I)}
    return words | also | _digits(text)


def _digits(text: str) -> set[int]:
    return {int(n) for n in re.findall(r"\d+", text.replace(",", ""))}


def differing(zh: str, en: str) -> tuple[set[int], set[int]]:
    """Give the numbers in words that only the Chinese, only the English half has."""
    return (
        chinese(zh) - in_any_english_form(en),
        english(en) - in_any_chinese_form(zh),
    )


def number_words(notebook: NotebookNode) -> Iterator[Problem]:
    """A number in words is the same in both halves."""
    for index, zh, en in pairs(notebook):
        only_zh, only_en = differing(_joined(zh), _joined(en))
        if only_zh and only_en:
            yield Problem(
                index,
                f"numbers in words differ in the pair: {_listed(only_zh)} in Chinese, "
                f"{_listed(only_en)} in English",
            )


def _joined(markdown: Markdown) -> str:
    return "\n".join(markdown.texts())


def _listed(numbers: set[int]) -> str:
    return ", ".join(f"{number:,}" for number in sorted(numbers))
