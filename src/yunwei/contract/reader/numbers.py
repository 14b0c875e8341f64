"""Chinese numerals as clauses use them: 十二, 二〇二六. (Sums in capitals are read by `kernel.money`.)"""

from __future__ import annotations

_WRITTEN = ("零〇○", "一壹", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
_DIGITS = {c: i for i, group in enumerate(_WRITTEN) for c in group}
_SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}

DIGIT = "零〇一二三四五六七八九十百千两"


def chinese(text: str) -> int | None:
    """The whole number that Chinese numerals (everyday or financial) write, or None if they do not.

    >>> chinese("二十三"), chinese("二〇二六"), chinese("贰佰零玖万壹仟捌佰"), chinese("第")
    (23, 2026, 2091800, None)
    """
    if not text or len(text) > 40:
        return None
    if text.isascii():
        return int(text) if text.isdigit() and len(text) < 16 else None
    if all(c in _DIGITS for c in text):
        return int("".join(str(_DIGITS[c]) for c in text))
    total = section = digit = 0
    for c in text:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif c in _SMALL:
            section += (digit or 1) * _SMALL[c]
            digit = 0
        elif c in _LARGE:
            # 亿 multiplies all before it (一万亿), 万 only its own section
            unit = _LARGE[c]
            if unit == 10**8:
                total, section = (total + section + digit) * unit, 0
            else:
                total, section = total + (section + digit) * unit, 0
            digit = 0
        else:
            return None
    return total + section + digit
