"""Money in yuan and fen (`Decimal`, half up) and in the capitals that Chinese contracts write beside the figure.

Capitals follow the settlement rules for negotiable instruments (支付结算办法, annex 1): zeros inside are read 零 once,
a sum that ends at yuan or jiao is closed by 整. On reading, 元/圆 and 整/正 are taken alike, and 人民币 in front; on
printing, the template decides which it has.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

FEN = Decimal("0.01")
HUNDRED = Decimal(100)
#: one fen below 1 兆 yuan: what capitals are written for
LIMIT = Decimal("999999999999.99")

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")
_VALUE = {c: i for i, c in enumerate(_DIGITS)} | {"〇": 0, "两": 2, "貳": 2, "參": 3, "陸": 6}
_FIGURE = re.compile(r"[¥￥]?\s*(-?\d{1,3}(?:[,，]\d{3})+|-?\d+)(\.\d+)?\s*(?:元|圆)?")


class MoneyError(YunweiError):
    """An amount that cannot be read or written."""


def yuan(value: Decimal | int | str) -> Decimal:
    """An amount to the fen, half up. Floats are refused: they are not money. Raises MoneyError."""
    if isinstance(value, (float, bool)):
        raise MoneyError(_("金额不能是浮点数"))
    try:
        amount = Decimal(value)
    except InvalidOperation as e:
        raise MoneyError(_("不是金额：{text}").format(text=value)) from e
    if not amount.is_finite():
        raise MoneyError(_("不是金额：{text}").format(text=value))
    try:
        return amount.quantize(FEN, rounding=ROUND_HALF_UP)
    except InvalidOperation as e:  # more digits than reckoning keeps
        raise MoneyError(_("不是金额：{text}").format(text=str(value)[:40])) from e


def parse_figures(text: str) -> Decimal:
    """An amount in figures as contracts write it: "2091800.00", "2,091,800.00 元", "¥2,091,800". Raises MoneyError."""
    match = _FIGURE.fullmatch(text.strip())
    if match is None:
        raise MoneyError(_("不是金额：{text}").format(text=text[:40]))
    exact = Decimal(re.sub("[,，]", "", match[1]) + (match[2] or ""))
    if exact != yuan(exact):
        raise MoneyError(_("金额不足一分：{text}").format(text=text[:40]))
    return yuan(exact)


def share_of(amount: Decimal, per_cent: Decimal | int) -> Decimal:
    """A share of an amount, per cent, to the fen, half up."""
    return yuan(amount * Decimal(per_cent) / HUNDRED)


def format_figures(amount: Decimal) -> str:
    """2,091,800.00"""
    return f"{yuan(amount):,.2f}"


def capitals(amount: Decimal, *, unit: str = "元", whole: str = "整") -> str:
    """An amount in capitals: 2091800 → 贰佰零玖万壹仟捌佰元整. `unit` and `whole` as the template has them.

    Raises MoneyError for negative amounts and from 10^12 yuan on.
    """
    amount = yuan(amount)
    if amount < 0 or amount > LIMIT:
        raise MoneyError(_("无法写成大写：{amount}").format(amount=amount))
    fen_total = int(amount * 100)
    figure, fen = divmod(fen_total, 100)
    jiao, fen = divmod(fen, 10)
    text = f"{_integer(figure)}{unit}" if figure or not fen_total else ""
    if jiao:
        text += f"{_DIGITS[jiao]}角"
    elif fen and figure:
        text += "零"
    return text + (f"{_DIGITS[fen]}分" if fen else whole)


def _integer(number: int) -> str:
    if number == 0:
        return _DIGITS[0]
    text, zero = "", False
    for power in range(len(str(number)) - 1, -1, -1):
        digit = number // 10**power % 10
        place, group = power % 4, power // 4
        if digit:
            text += ("零" if zero else "") + _DIGITS[digit] + _PLACES[place]
            zero = False
        else:
            zero = bool(text)
        if place == 0 and number // 10**power % 10**4:
            text += _GROUPS[group]
    return text


def parse_capitals(text: str) -> Decimal:
    """The amount that capitals say. Raises MoneyError for anything that `capitals` would not write, but for
    元/圆, 整/正, a left-out or doubled ending, and 人民币 in front.

    Strict on purpose: a miswritten amount in a contract is a fact to show, not to repair.
    """
    plain = re.sub(r"\s", "", text).removeprefix("人民币").removeprefix("：").replace("圆", "元")
    plain = re.sub("[整正]+$", "", plain)
    amount = _read(plain, text)
    expected = capitals(amount, whole="")
    # 支付结算办法 leaves a 零 between 元 and 角 to the writer
    if plain.replace("元零", "元") != expected.replace("元零", "元"):
        raise MoneyError(
            _("大写金额写法有误：{text}").format(text=text),
            hint=_("应写作 {expected}").format(expected=capitals(amount)),
        )
    return amount


def _read(plain: str, text: str) -> Decimal:
    match = re.fullmatch(r"(?:(?P<yuan>[^元角分]+)元)?零?(?:(?P<jiao>[^元角分])角)?零?(?:(?P<fen>[^元角分])分)?", plain)
    if match is None or not plain:
        raise MoneyError(_("不是大写金额：{text}").format(text=text))
    fen = 0
    for name, weight in (("jiao", 10), ("fen", 1)):
        if match[name]:
            if match[name] not in _VALUE:
                raise MoneyError(_("不是大写金额：{text}").format(text=text))
            fen += _VALUE[match[name]] * weight
    return yuan(Decimal(_read_integer(match["yuan"] or "零", text) * 100 + fen) / 100)


def _read_integer(plain: str, text: str) -> int:
    total = group = digit = 0
    for c in plain:
        if c in _VALUE:
            digit = _VALUE[c]
        elif c in _PLACES:
            group += digit * 10 ** _PLACES.index(c)
            digit = 0
        elif c == "万":
            total += (group + digit) * 10**4
            group = digit = 0
        elif c == "亿":
            total = (total + group + digit) * 10**8
            group = digit = 0
        else:
            raise MoneyError(_("不是大写金额：{text}").format(text=text))
    return total + group + digit
