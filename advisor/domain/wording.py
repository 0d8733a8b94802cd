"""Tell whether a text can be read: in which script it is, and whether it is English or Chinese for certain.

Wrong answers are not alike: a text of another language that is taken for English passes unread, while an English one
that is not recognized only has to be called English by whoever sends it. So what is not certain is not told.
"""

import re
import unicodedata
from collections import Counter


def _words(several: str) -> frozenset[str]:
    return frozenset(several.split())


# Words of English, and of no other language in Latin script that Amazon sells in.
_ENGLISH = _words(
    "about after because been before could does each every from have how if its just more my only our please should "
    "than thank thanks that the their them there they this those were what when which while who with would you your "
    "yours"
)
# Words of English that another of those languages has too.
_SHARED = _words("a an and any are as at be but by can for has in is it no not of on or these to us was we will")
# Words that stand in most sentences of those other languages, without accents, and seldom in English.
_OTHERS = _words(
    "aber auch auf bitte das dass der eine einen geben haben ihnen ihr ihre ist mit nicht oder sie sind und von wir "
    "avec cette dans des et je les merci nous notre pas qui sont une vous votre "
    "como el ella esta gracias nosotros nuestro para pero porque que su sus una usted "
    "anche che della delle gli grazie il nel nostro sono suo vi voi "
    "aan dank een het hij niet ons onze uw voor wij zijn "
    "nao obrigado obrigada seu sua uma voce "
    "czy dla jest nie oraz prosze sie "
    "att eller inte jag och ska som ikke jeg "
    "bir bu icin lutfen"
)
_WORD = re.compile(r"[^\W\d_]+")
_SHARE = 8  # at least one word in so many has to be English
# No Japanese text has these, though its standard set of characters does.
_CHINESE = frozenset("你們這那吧嗎呢")
_KANA = re.compile("[\u3040-\u30ff\uff66-\uff9f]")


def other_script(original: str) -> bool:
    """Say whether more than one letter in five, as they were sent, is neither Latin nor Chinese."""
    letters = other = 0
    for character, number in Counter(original).items():
        if character.isalpha():
            letters += number
            if not (_latin(character) or _han(character)):
                other += number
    return 5 * other > letters


def tell(original: str, plain: str) -> str | None:
    """Tell the language of a text, en or zh, from how it was sent and from its plain form; None where in doubt."""
    words = Counter(_WORD.findall(plain))
    if not words.keys().isdisjoint(_OTHERS):
        return None
    han = sum(map(_han, original))
    if 2 * han > sum(map(str.isalpha, original)):
        return "zh" if not _KANA.search(original) and any(map(_only_chinese, original)) else None
    sure, all_english = words.keys() & _ENGLISH, words.keys() & (_ENGLISH | _SHARED)
    enough = len(sure) >= 2 or (sure and len(all_english) >= 3)
    return "en" if enough and _SHARE * sum(words[one] for one in all_english) >= words.total() else None


def _latin(character: str) -> bool:
    base = unicodedata.normalize("NFKD", character)[0]
    return base < "\u0250" or "\u1e00" <= base <= "\u1eff"


def _han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


def _only_chinese(character: str) -> bool:
    """Say whether Chinese writes a character and Japanese does not."""
    if not _han(character):
        return False
    if character in _CHINESE:
        return True
    try:
        character.encode("shift_jis")
    except UnicodeEncodeError:
        return True
    return False
