"""The dashboard in a real browser, also while a run is working."""

import pytest
from browser import CHROMIUM, WIDTHS, browser, dashboard
from made_run import MadeRun

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)"),
]
PLACES = (
    "/",
    "/made/",
    "/made/round/1",
    "/made/matrix",
    "/made/problems",
    "/made/solutions",
    "/made/problem?id=train/3",
)
WAIT = 60_000
"""Milliseconds until something must have appeared, on a busy machine."""


@pytest.fixture(scope="module")
def chromium():
    pytest.importorskip("playwright", reason="playwright is not installed")
    with browser() as started:
        yield started


class Watched:
    """A page that records errors on the console and requests to other addresses."""

    def __init__(self, chromium, address: str, width: int = 1280) -> None:
        self.page = chromium.new_page(viewport={"width": width, "height": WIDTHS[width]})
        self.page.set_default_timeout(WAIT)
        self.wrong: list[str] = []
        self.page.on("console", lambda message: message.type == "error" and self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: r.url.startswith((address, "data:")) or self.wrong.append(r.url))


@pytest.fixture(scope="module")
def address(made):
    with dashboard(made.run.root) as address:
        yield address


def test_a_finished_round_appears_without_reloading_and_leads_to_its_solutions(chromium, tmp_path) -> None:
    made = MadeRun(tmp_path / "going")
    made.finish_round(0)
    made.finish_round(1)
    with made.hold(), dashboard(made.run.root) as address:
        watched = Watched(chromium, address)
        page = watched.page
        page.goto(f"{address}/going/")
        page.evaluate("window.same = true")
        page.wait_for_selector("#plot-accuracy-test .js-plotly-plot .legend")
        made.say(round=2, stage="generate", work="solving", unit="solutions", done=60, total=240, updated=4e9)
        page.wait_for_selector("text=60 of 240")
        assert page.locator("#rounds tbody tr").count() == 2
        made.finish_round(2)
        page.locator("#rounds tbody tr").nth(2).wait_for()
        page.locator("#plot-accuracy-test .js-plotly-plot .xtick").nth(2).wait_for()
        assert page.evaluate("window.same") is True, "the page was reloaded"

        page.click("nav >> text=Solutions")
        page.select_option("[name=kind]", "native")
        page.select_option("[name=method]", "pot")
        page.select_option("[name=status]", "timeout")
        page.click("button:has-text('Filter')")
        page.wait_for_selector("text=1 to 4 of 4")
        page.click("article a >> nth=0")
        page.wait_for_selector("h1:has-text('solve-1/train/3/pot/0')")
        assert "while True:" in page.inner_text("main")
        page.click("text=All solutions of this problem")
        page.wait_for_selector("h1:has-text('train/3')")
        assert page.locator("section[aria-label='Round 1'] article").count() == 2
        assert page.locator("section[aria-label='Round 2'] article").count() == 2
        assert watched.wrong == []


@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_the_window_and_every_plot_is_labelled_and_has_its_table(chromium, address, width) -> None:
    watched = Watched(chromium, address, width)
    page = watched.page
    for place in PLACES:
        page.goto(address + place)
        plots = page.locator("figure.plot")
        drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
        for number in range(plots.count()):
            plot = plots.nth(number)
            assert plot.locator("figcaption").inner_text()
            assert plot.locator(".xtitle").text_content()
            assert plot.locator(".ytitle").text_content()
            assert plot.locator("details table tbody tr").count() > 0
            assert not overlaps(plot), place
        for control in page.locator("input:not([type=hidden]), select").all():
            assert control.evaluate("e => e.labels.length"), place
    assert watched.wrong == []


def drawn(page) -> None:
    """Wait until every plot is drawn."""
    if count := page.locator(".canvas").count():
        page.locator(".js-plotly-plot").nth(count - 1).wait_for()


def overlaps(plot) -> bool:
    """Whether the legend of a plot lies over its axes' titles or its marks."""
    return plot.evaluate(
        """plot => {
            const box = (name) => plot.querySelector(name)?.getBoundingClientRect();
            const legend = box('.legend');
            return ['.xtitle', '.ytitle', '.plot'].some((name) => {
                const other = box('.js-plotly-plot ' + name);
                return legend && other && legend.width && other.width && legend.left < other.right - 1
                    && other.left < legend.right - 1 && legend.top < other.bottom - 1 && other.top < legend.bottom - 1;
            });
        }"""
    )


def test_text_of_a_model_is_never_executed(chromium, address) -> None:
    watched = Watched(chromium, address)
    for place in ("/made/solution?id=solve-1/train/0/pot/0", "/made/problem?id=train/0", "/made/solutions?method=pot"):
        watched.page.goto(address + place)
        assert "<script>document.title" in watched.page.inner_text("main")
        assert "taken over" not in watched.page.title()
    assert watched.wrong == []


def test_everything_can_be_reached_by_keyboard(chromium, address) -> None:
    watched = Watched(chromium, address)
    page = watched.page
    page.goto(f"{address}/made/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    summary = page.locator("#table-accuracy-test summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("#table-accuracy-test table").is_visible()
    unreachable = page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter((e) => !e.closest('.canvas') && e.tabIndex < 0 && e.scrollWidth > e.clientWidth + 1)
            .filter((e) => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
            .map((e) => e.className)"""
    )
    assert unreachable == []
    page.goto(f"{address}/made/solutions")
    page.locator("[name=method]").focus()
    page.keyboard.type("pot")
    page.keyboard.press("Tab")
    page.keyboard.type("timeout")
    page.locator("[name=q]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=1 to 16 of 16")
    assert "status=timeout" in page.url
    assert watched.wrong == []


def test_names_are_not_markup_for_plotly(chromium, address) -> None:
    watched = Watched(chromium, address)
    watched.page.goto(f"{address}/made/")
    series = {"name": "<b>&", "values": [0.1, None], "low": [0.05, None], "high": [0.3, None]}
    chart = {
        "kind": "lines",
        "series": [series],
        "x": ["<i>", "b"],
        "colours": ["#000"],
        "share": True,
        "categories": True,
    }
    (trace,) = watched.page.evaluate("chart => figure(chart).data", chart)
    assert (trace["name"], trace["x"]) == ("&lt;b&gt;&amp;", ["&lt;i&gt;", "b"])
    assert trace["error_y"]["array"] == pytest.approx([0.2, 0])
    assert trace["error_y"]["arrayminus"] == pytest.approx([0.05, 0])


def test_pages_without_scripts_show_the_tables_of_their_plots(chromium, address) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/made/")
    plots = page.locator("figure.plot")
    assert plots.count() > 5
    assert page.locator("noscript").inner_text()
    for number in range(plots.count()):
        plots.nth(number).locator("summary").click()
        assert plots.nth(number).locator("table").is_visible()
    context.close()


def test_reports_show_every_plot_without_scripts(chromium, made, tmp_path) -> None:
    from mmst.dashboard.report import run_report

    watched = Watched(chromium, "file://")
    watched.page.goto(run_report(made.run.root, tmp_path / "report.html").as_uri())
    plots = watched.page.locator("figure.plot svg")
    assert plots.count() == watched.page.locator("figure.plot").count() > 5
    assert all(box["width"] > 300 and box["height"] > 150 for box in (p.bounding_box() for p in plots.all()))
    assert watched.wrong == []
