import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).parents[:2])  # for films, and for skdbn

import matplotlib
from sklearn.experimental import enable_iterative_imputer  # noqa: F401, for the gallery

import skdbn

matplotlib.use("agg")

project = "skdbn"
author = "The skdbn developers"
copyright = f"2026, {author}"
version = release = skdbn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
# The page of a class lists its methods itself, see _templates/autosummary/class.rst.
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": "FileNameSortKey",
    # Links from the code to the API, and from the API to the examples.
    "doc_module": ("skdbn",),
    "reference_url": {"skdbn": None},
    "image_scrapers": ("matplotlib", "films.scrape"),
    "backreferences_dir": "auto_examples/backreferences",
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skdbn {version}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}
