"""Versions are those of the installed distributions."""

from __future__ import annotations

import numpy as np
from benchcast.core.versions import PACKAGES, installed_version, package_versions


def test_versions_of_what_is_there_and_of_what_is_not() -> None:
    assert package_versions()["numpy"] == np.__version__
    assert tuple(package_versions()) == PACKAGES
    assert installed_version("no-such-distribution") == "not installed"
    assert installed_version("no-such-distribution", "") == ""
