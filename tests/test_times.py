"""Times as exports write them, the absurd ones too."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest.times import from_apple, from_iso, in_zone


@pytest.mark.parametrize("text", ["2026-03-02T10:00:00+01:00", "2026-03-02 04:00:00-05:00"])
def test_an_offset_becomes_utc(text):
    found = from_iso(text)
    assert found is not None
    assert found.isoformat() == "2026-03-02T09:00:00+00:00"


def test_a_stated_zone_becomes_utc():
    local = datetime(2026, 7, 1, 12)
    found = in_zone(local, "Europe/Berlin")
    assert found is not None
    assert (found, found.utcoffset()) == (datetime(2026, 7, 1, 10, tzinfo=UTC), timedelta(0))


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns"])
def test_the_ends_of_the_calendar_fit_no_zone_and_are_no_fault(year, zone):
    edge = datetime.min if year == 1 else datetime.max
    found = in_zone(edge, zone)
    assert found is not None
    assert found.replace(tzinfo=None) - edge < timedelta(days=1)


@pytest.mark.parametrize("value", [0, None, -(10**18), 9 * 10**18])
def test_an_apple_date_that_is_none(value):
    assert from_apple(value) is None
