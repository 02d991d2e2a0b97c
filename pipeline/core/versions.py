"""Which versions made a result: of this package, and of the packages whose numbers stand in it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "typst")  # in the provenance of every result
NOT_INSTALLED = "not installed"


def installed_version(name: str, missing: str = NOT_INSTALLED) -> str:
    """The version of an installed distribution; ``missing`` where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return missing


def package_versions() -> dict[str, str]:
    """The versions of ``PACKAGES`` by name."""
    return {name: installed_version(name) for name in PACKAGES}
