"""Films in the gallery."""

from pathlib import Path

from sphinx_gallery.scrapers import figure_rst


def scrape(block, block_vars, gallery_conf):
    """Move the GIFs that an example has written to its page."""
    paths = []
    for film in sorted(Path(block_vars["src_file"]).parent.glob("*.gif")):
        path = Path(next(block_vars["image_path_iterator"])).with_suffix(".gif")
        paths.append(film.rename(path))
    return figure_rst(paths, gallery_conf["src_dir"])
