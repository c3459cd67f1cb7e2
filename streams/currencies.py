"""The currencies we take, by ISO 4217 code, with the exponent of their minor unit.

A code that is not here is refused: guessing two decimals would be wrong by a factor of ten or a
hundred for the others. Codes without a minor unit (gold, test codes, special drawing rights) are
no money an order can be in. Currencies that were withdrawn since 2010 stay, because a fact may
be older than the end of its currency.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_CURRENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_WITHDRAWN: Final = {
    0: "BYR",
    2: "ANG BGN CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL",
}

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        code: exponent
        for table in (_CURRENT, _WITHDRAWN)
        for exponent, codes in table.items()
        for code in codes.split()
    }
)
"""ISO 4217 code -> how many decimals its minor unit has: JPY 0, USD 2, KWD 3, CLF 4."""


def exponent_of(currency: str) -> int:
    """Return the decimals of a currency's minor unit; KeyError for a code we do not take."""
    return EXPONENTS[currency]
