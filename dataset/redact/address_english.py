# ruff: noqa: E501 - lists of words read by the line
"""English streets: the number, the name, the street's word, the town and its code."""

import re

from dataset.redact.address_format import NAME, AddressFormat

_EN_WORDS = (
    r"Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Close"
    r"|Crescent|Cres|Gardens|Gdns|Grove|Hill|Mews|Park|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Row|Walk|Rise|View"
    r"|Green|Alley|Plaza|Loop|Path|Pike|Quay|Esplanade|Parade|Broadway|Turnpike|Crossing|Ridge|Heights|Meadows?|Villages?"
    r"|Village|Common|Cove|Creek|Falls|Fields?|Forest|Glen|Harbors?|Haven|Hollow|Island|Junctions?|Key|Knolls?|Lake|Landing"
    r"|Lights?|Manors?|Mill|Mission|Mountains?|Oval|Parks|Pass|Passage|Pines?|Plains?|Point|Port|Prairie|Ranch|River|Shores?"
    r"|Spring|Springs|Spurs?|Stravenue|Stream|Summit|Track|Union|Valley|Viaduct|Ville|Vista|Walks|Wall|Ways|Well|Wells|Bridge"
    r"|Brook|Burg|Bypass|Camp|Canyon|Cape|Causeway|Center|Centre|Cliffs?|Club|Corner|Corners|Course|Crest|Curve|Dale|Dam"
    r"|Divide|Estates?|Expressway|Extension|Ford|Fork|Forks|Fort|Freeway|Garden|Gateway|Flats?|Ferry|Inlet|Isle|Neck|Orchard"
    r"|Overpass|Motorway|Rapid|Rest|Route|Rue|Run|Shoal|Skyway|Station|Throughway|Trace|Trafficway|Tunnel|Underpass|Branch"
    r"|Bottom|Bluff|Beach|Bayou|Arcade|Annex|Mall|Marg|Nagar|Chowk|Salai|Colony|Layout|Sector"
)
_EN_SHORT = (
    r"street|avenue|road|lane|drive|boulevard|court|crescent|terrace|st\.|ave\.?|rd\.?|blvd\.?"
)
_UNIT = r"(?:,?[ ](?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Room|Rm|#)\.?[ ]?#?[ ]?\w{1,6})?"
_EN_TOWN = (
    rf"(?:(?:,[ ]?|[ ]|\n){NAME}(?:[ ]{NAME}){{0,3}})?"
    r"(?:(?:,[ ]?|[ ]|\n)(?:(?:[A-Z]{2}|[A-Z][a-z]+(?: [A-Z][a-z]+)?),?[ ]\d{5}(?:-\d{4})?"  # US
    r"|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}"  # GB
    r"|(?:[A-Z]{2},?[ ])?[A-Z]\d[A-Z][ -]?\d[A-Z]\d|[A-Z]{2,3}[ ]\d{4}|\d{6}|[A-Z]\d{2}[ ]?[A-Z0-9]{4})(?!\w))?"
)

ENGLISH = AddressFormat(
    frozenset(["US", "GB", "CA", "AU", "IE", "NZ", "IN", "ZA", "SG"]),
    re.compile(
        rf"\d{{1,5}}[A-Za-z]?(?:[-/]\d{{1,4}})?,?[ ](?:(?:[NSEW]|[NS][EW]|North|South|East|West)\.?[ ])?"
        rf"(?:(?:(?:{NAME}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?(?:{_EN_WORDS})\b\.?(?:[ ](?:[NSEW]|[NS][EW])\b\.?)?"
        rf"|Broadway\b|(?:[a-z][a-z'’-]{{2,14}}[ ]){{1,2}}?(?:{_EN_SHORT})(?!\w)(?=[ ]?(?:[,.\n!?]|\Z|apt|flat|unit|#|in\b)))"
        rf"{_UNIT}{_EN_TOWN}"
    ),
    # the form begins with a number, which is rare enough
    "tokens",
    frozenset(),
)
