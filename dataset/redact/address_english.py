# ruff: noqa: E501 - lists of words read by the line
"""English streets: the number, the name, the street's word, the town and its code."""

import re

from dataset.redact.address_format import NAME, UPPER, AddressFormat, split

_WORDS = split(
    "Street St Avenue Ave Road Rd Lane Ln Drive Dr Boulevard Blvd Court Ct Place Pl Square Sq Terrace Ter Way Close Crescent Cres Gardens Gdns "
    "Grove Mews Parkway Pkwy Highway Hwy Circle Cir Trail Trl Alley Plaza Esplanade Turnpike Broadway Freeway Expressway Causeway Motorway "
    "Roadway Driveway Quay Wharf Marg Nagar Chowk Salai"
)
# headlines hold these, too ("5 Key Points"): more must say that it is an address
_DOUBTFUL = split(
    "Annex Approach Arcade Bayou Beach Bend Bluff Bottom Branch Bridge Brook Burg Bypass Camp Canyon Cape Center Centre Circuit Cliff Club Colony "
    "Common Concourse Copse Corner Corners Course Cove Creek Crest Crossing Curve Cutting Dale Dam Divide Entrance Estate Extension Fairway Falls "
    "Ferry Field Firetrail Flat Follow Ford Forest Fork Forks Fort Frontage Gap Garden Gate Gateway Glade Glen Grange Green Harbor Haven Heights "
    "Hill Hollow Inlet Island Isle Islet Junction Key Knoll Lake Landing Laneway Layout Light Link Lock Lodge Lookout Loop Mall Manor Meadow Mill "
    "Mission Mount Mountain Neck Nook Orchard Outlook Oval Overpass Parade Park Parks Pass Passage Path Pike Pine Plain Plateau Point Port "
    "Prairie Promenade Rampart Ranch Rapid Reserve Rest Retreat Ridge Ridgeway Right_of_Way Rise River Riverway Roads Rotary Route Row Rue Run S "
    "Sector Service_Way Shoal Shore Siding Skyway Slope Sound Spring Springs Spur Station Steps Stravenue Stream Subway Summit Tarn Throughway "
    "Top Tor Towers Township Trace Track Trafficway Triangle Tunnel Underpass Union Vale Valley Viaduct View Village Ville Vista Walk Walks Wall "
    "Ways Well Wells Wynd Yard Zila"
)
_EN_SHORT = (
    r"street|avenue|road|lane|drive|boulevard|court|crescent|terrace|st\.|ave\.?|rd\.?|blvd\.?"
)
_UNIT = r"(?:,?[ ](?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.?[ ]?#?[ ]?\w{1,6})?"
_EN_TOWN = (
    rf"(?:(?:,[ ]?|[ ]|\n|\\n){NAME}(?:[ ](?![A-Z]{{1,2}}\d|[A-Z]{{2,3}}[ ,]){NAME}){{0,3}})?"
    r"(?:(?:,[ ]?|[ ]|\n|\\n|-)(?:(?:[A-Z]{2}|[A-Z][a-z]+(?: [A-Z][a-z]+)?),?[ ]\d{5}(?:-\d{4})?"  # US
    r"|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}"  # GB
    r"|(?:[A-Z]{2},?[ ])?[A-Z]\d[A-Z][ -]?\d[A-Z]\d|[A-Z]{2,3},?[ ]\d{4}|\d{6}|[A-Z]\d{2}[ ]?[A-Z0-9]{4})(?!\w))?"
)

_STREET = (
    rf"(?:(?:(?:{NAME}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?(?:(?:{'|'.join(_WORDS)})|(?P<doubtful>{'|'.join(_DOUBTFUL)}))s?\b\.?(?:[ ](?:[NSEW]|[NS][EW])\b\.?)?"
    r"|Broadway\b)"
)
_SMALL_STREET = (
    r"(?!(?:way|lane|car|mile|min|hour|day|more|other|different|new|big|small|long)\b)(?:[a-z][a-z'’-]{2,14}[ ]){1,2}?"
    rf"(?:{_EN_SHORT})(?!\w)(?=[ ]?(?:[,.\n!?]|\Z|apt|flat|unit|#|in\b))"
)
_AFTER_NUMBER = (
    r"[A-Za-z]?(?:[-/][0-9]{1,4})?,?[ ](?:(?:[NSEW]|[NS][EW]|North|South|East|West)\.?[ ])?"
)
_NUMBER = rf"[0-9][0-9]{{0,4}}{_AFTER_NUMBER}"
_COUNTRIES = frozenset(["US", "GB", "CA", "AU", "IE", "NZ", "IN", "ZA", "SG"])
_BREAK = r"(?:,[ ]?|[ ]|\n|\\n)"

ENGLISH_FORMATS: tuple[AddressFormat, ...] = (
    AddressFormat(
        _COUNTRIES,
        re.compile(rf"{_NUMBER}{_STREET}(?P<more>{_UNIT}{_EN_TOWN})"),
        # the form begins with a number, which is rare enough
        "words",
        frozenset(),
        begins=rf"(?-i:[0-9]{_AFTER_NUMBER}"
        rf"(?:(?:(?:[{UPPER}]\S*|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}(?:{'|'.join((*_WORDS, *_DOUBTFUL))})|Broadway))",
    ),
    AddressFormat(
        _COUNTRIES,
        re.compile(rf"{_NUMBER}{_SMALL_STREET}{_UNIT}{_EN_TOWN}"),
        "words",
        frozenset(
            word + mark
            for word in re.findall(r"[a-z]+\.?", _EN_SHORT.replace("\\.", ".").replace("?", ""))
            for mark in ("", ",", ".", "!", "?")
        ),
        begins=rf"(?-i:[0-9]{_AFTER_NUMBER}(?:[a-z][a-z'’-]+[ ]){{1,2}}(?:{_EN_SHORT}))",
    ),
    # the number of the flat or the house stands before the street
    AddressFormat(
        _COUNTRIES,
        re.compile(
            rf"(?:(?:Flat|Studio|Apartment|Unit|Suite)[ ]\w{{1,4}}|H\.?[ ]?No\.?[ ]?\d{{1,4}}){_BREAK}(?:\d{{1,4}}[A-Za-z]?[ ])?{_STREET}(?P<more>{_EN_TOWN})"
        ),
        "words",
        frozenset({"flat", "studio", "apartment", "unit", "suite", "h.no.", "h.no", "h."}),
        begins=r"(?-i:(?:Flat|Studio|Apartment|Unit|Suite)[ ]\S|H\.?[ ]?No\.?[ ]?\d)",
    ),
)
