"""The next hospital, and every quarter after: a reader measured at a site, adapted to it, and watched there."""

from ai_for_sudan.sites.adapt import Outcome, adapt
from ai_for_sudan.sites.readerfile import ReaderFile
from ai_for_sudan.sites.site_films import SiteFilms, read_site, site_manifest

__all__ = ["Outcome", "ReaderFile", "SiteFilms", "adapt", "read_site", "site_manifest"]
