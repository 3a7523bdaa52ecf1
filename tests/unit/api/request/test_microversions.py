# SPDX-License-Identifier: Apache-2.0
"""The microversion that a header requests (MV-1 to MV-13)."""

import pytest

from api.request.errors import MalformedVersion, VersionUnsupported
from api.request.microversions import Versions
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.errors import shorten

VERSIONS = Versions('pileus', Version(1, 12))


@pytest.mark.parametrize(('header', 'wanted'), [
    (None, '1.0'), ('', '1.0'), ('pileus 1.0', '1.0'), ('pileus 1.9', '1.9'),
    ('pileus 1.10', '1.10'), ('pileus 1.12', '1.12'),
    ('pileus latest', '1.12'), ('Pileus 1.3', '1.3'),
    ('  pileus   1.3  ', '1.3'), ('pileus\t1.3', '1.3'),
    ('compute 2.11', '1.0'), ('compute 99.99', '1.0'),
    ('compute nonsense', '1.0'), ('compute', '1.0'), ('pileus', '1.0'),
    ('compute 2.11, pileus 1.3', '1.3'), ('pileus 1.3, compute 2.11', '1.3'),
    ('pileus 1.3,compute 2.11', '1.3'), ('pileus 1.3, pileus 1.4', '1.4'),
    (',,pileus 1.3,', '1.3'), ('pileus-x 9.9', '1.0'), ('1.3', '1.0')])
def test_the_requested_version(header, wanted):
    assert str(VERSIONS.wanted(header)) == wanted


@pytest.mark.parametrize('text', [
    'abc', '1', '1.', '.1', 'v1.1', '1.2.3', '01.1', '1.01', '1.00', '0.9',
    '-1.0', '+1.0', '1.-1', '1,1', '1_0.1', '1.1 1.2', 'LATEST', 'Latest',
    '1.1;', '\u0661.\u0661', '1.\uff11', '1.1\x00', '1.1e1',
    '1. 1', '0x1.1', '"1.1"'])
def test_a_malformed_version_is_rejected(text):
    with pytest.raises((MalformedVersion, VersionUnsupported)) as caught:
        VERSIONS.wanted(f'pileus {text}')
    if ',' not in text:
        assert caught.type is MalformedVersion
        assert str(caught.value).isascii()


@pytest.mark.parametrize('text', ['1.13', '1.9999', '2.0', '99.0',
                                  '9999999999.1', '1.' + '9' * 5000])
def test_the_error_of_a_version_out_of_range_has_the_range(text):
    with pytest.raises(VersionUnsupported) as caught:
        VERSIONS.wanted(f'pileus {text}')
    assert caught.value.facts == {
        'wanted': shorten(text), 'minimum': FIRST_VERSION,
        'maximum': Version(1, 12)}


def test_the_reply_headers_name_the_version_and_vary_by_it():
    assert VERSIONS.headers(Version(1, 3)) == [
        ('OpenStack-API-Version', 'pileus 1.3'),
        ('Vary', 'OpenStack-API-Version')]
    assert VERSIONS.headers(None)[0][1] == 'pileus 1.0'
