"""How Sphinx builds the documentation (`make docs`)."""

from ai_for_sudan.version import __version__ as release  # noqa: F401 (read by Sphinx)

project = "AI for Sudan - Smart Medical Assistant"
copyright = "the authors, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = project
exclude_patterns = ["site"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
# Pages link to files of the repository too, which are no part of the site.
suppress_warnings = ["myst.xref_missing"]
