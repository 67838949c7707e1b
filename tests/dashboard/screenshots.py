"""Screenshots of a run's pages at two widths: `python tests/dashboard/screenshots.py RUN OUT` (make screenshots)."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import CHROMIUM, WIDTHS, browser, dashboard


def main(run: Path, out: Path) -> None:
    """Write a PNG of every kind of page at each width into `out`, and `run.png`, the top of the rounds' page, for the
    README (docs/run.png)."""
    if CHROMIUM is None:
        sys.exit("screenshots need chromium: apt-get install chromium")
    out.mkdir(parents=True, exist_ok=True)
    name = f"/{run.resolve().name}"
    last = max(int(path.parent.parent.name[-3:]) for path in run.glob("round-*/stages/evaluate.json"))
    pages = {
        "overview": "/",
        "run": f"{name}/",
        "round": f"{name}/round/{last}",
        "matrix": f"{name}/matrix",
        "solutions": f"{name}/solutions?method=pot&kept=no",
        "problems": f"{name}/problems",
    }
    with dashboard(run) as address, browser() as chromium:
        for width, height in WIDTHS.items():
            page = chromium.new_page(viewport={"width": width, "height": height})
            for title, place in pages.items():
                page.goto(address + place)
                if plots := page.locator(".canvas").count():
                    page.locator(".js-plotly-plot").nth(plots - 1).wait_for()
                page.screenshot(path=out / f"{title}-{width}.png", full_page=title not in ("solutions", "problems"))
            if width == max(WIDTHS):
                page.goto(f"{address}{name}/")
                page.locator(".js-plotly-plot").nth(page.locator(".canvas").count() - 1).wait_for()
                page.screenshot(
                    path=out / "run.png", full_page=True, clip={"x": 0, "y": 48, "width": width, "height": 944}
                )
            page.goto(f"{address}{name}/solutions?kind=native")
            page.locator("article a", has_text="problem").first.click()
            page.screenshot(path=out / f"problem-{width}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
