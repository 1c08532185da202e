"""Chinese, Japanese and Korean names taken apart where no space stands between the parts."""

import re
from collections.abc import Iterator
from typing import Literal

_CHINESE_LONG = frozenset(
    f"{first}{second}"
    for first, second in zip(
        "欧歐司司诸諸上夏东東皇尉公公慕令宇长司轩端南南百独拓",
        "阳陽马馬葛葛官侯方方甫迟孙孫容狐文孙徒辕木宫宮里孤跋",
        strict=True,
    )
)
_KOREAN_LONG = frozenset(["남궁", "황보", "제갈", "사공", "선우", "독고", "서문", "동방"])
_CHINESE = frozenset(
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾萧肖蕭田董袁潘于"
    "蒋蔣蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江尹薛闫阎段雷侯龙龍史"
    "陶黎贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯詹游翁賴赖洪庄莊温溫康施牛樊葛邢安齐齊易乔喬伍庞龐颜顏倪庄聂聶章鲁"
    "魯岳翟殷申欧歐耿关關兰蘭焦俞左柳甘祝包宁寧尚符舒阮柯纪紀梅童凌毕畢单單季裴霍涂成苗谷盛曲翁冉骆駱蓝藍路游辛靳管柴"
    "蒙鲍鮑华華喻祁房滕屈饶饒解牟艾尤阳時时穆农農司卓古吉缪繆简簡车車项項连連芦蘆麦麥褚娄婁窦竇戚岑景党黨宫宮费費卜冷"
    "傅浦涂晏席卫衛米柏宗瞿桂全佟应應臧闵閔苟邬鄔边邊卞姬师師和仇栾欒隋商刁沙荣榮巫寇桑郎甄丛叢仲虞敖巩鞏明佘池查麻苑迟遲"
)

AFTER_FAMILY = re.compile(
    "(?:先生|女士|小姐|太太|老师|老師|教授|医生|醫生|大夫|经理|經理|总|總|哥|姐|叔|阿姨|同学|同學|师傅|師傅|"
    "さん|様|さま|君|くん|氏|先輩|ちゃん|殿|部長|課長|社長|씨|님|선생님|대리|과장|부장|팀장|사장|교수)"
)
"""What makes a short name before it a person's."""
BEFORE_FAMILY = re.compile("[老小阿大]$")

Part = Literal["full", "given", "family"]


def cjk_parts(text: str) -> Iterator[tuple[str, Part]]:
    """The full name and its parts, e.g. 王小明, 王, 小明.

    Chinese names are told from Japanese by their family name: one of the frequent ones of one
    character, or a known one of two. Japanese ones of four characters are cut in the middle, of
    three and five in both ways.
    """
    words = re.split(r"[\s・·=＝]+", text.strip())
    if len(words) > 1:
        yield "".join(words), "full"
        first_is_family = not _katakana(text)
        for at, word in enumerate(words):
            yield word, "family" if (at == 0) == first_is_family else "given"
        return
    name = words[0]
    yield name, "full"
    for cut in _cuts(name):
        yield name[:cut], "family"
        yield name[cut:], "given"


def _katakana(text: str) -> bool:
    return any("\u30a0" <= letter <= "\u30ff" for letter in text)


def _cuts(name: str) -> tuple[int, ...]:
    """How many characters the family name may have; none if that cannot be told."""
    if "\uac00" <= name[0] <= "\ud7a3":
        if len(name) == 4 and name[:2] in _KOREAN_LONG:
            return (2,)
        return (1,) if len(name) == 3 else ()
    if not all("\u4e00" <= letter <= "\u9fff" for letter in name):
        return ()
    if name[:2] in _CHINESE_LONG and len(name) in (3, 4):
        return (2,)
    if name[0] in _CHINESE and len(name) in (2, 3):
        return (1,)
    return {3: (2, 1), 4: (2,), 5: (2, 3)}.get(len(name), ())
