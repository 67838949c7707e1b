// Draws plots, and updates the parts marked `data-live` while the page is open. Without scripts, pages show the tables of
// their plots, and a reload shows what is new.
"use strict";

// Text with Plotly's markup escaped: names may come from models or people.
function plain(value) {
  return typeof value === "string" ? value.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;") : value;
}

// Plotly's data and layout for a chart as described in charts.py.
function figure(chart) {
  const bars = chart.kind === "stack";
  const data = chart.series.map((series, number) => {
    const color = chart.colours[number % chart.colours.length];
    const trace = {
      type: bars ? "bar" : "scatter",
      name: plain(series.name),
      x: chart.x.map(plain),
      y: series.values,
      marker: { color },
      hovertemplate: chart.share ? "%{y:.1%}" : "%{y:,.4~g}",
    };
    if (!bars) Object.assign(trace, { mode: chart.x.length < 60 ? "lines+markers" : "lines", line: { color } });
    if (series.low && series.high) {
      const reach = (ends, sign) => series.values.map((v, i) => (v === null || ends[i] === null ? 0 : sign * (ends[i] - v)));
      const [array, arrayminus] = [reach(series.high, 1), reach(series.low, -1)];
      trace.error_y = { type: "data", symmetric: false, array, arrayminus, thickness: 1 };
    }
    return trace;
  });
  const title = (text) => ({ text, font: { size: 13 }, standoff: 8 });
  const grid = { automargin: true, gridcolor: "#e4e7ea", zerolinecolor: "#8a929b" };
  const layout = {
    barmode: "stack",
    bargap: 0.45,
    margin: { l: 56, r: 12, t: 8, b: 8 },
    height: 310 + 14 * chart.series.length, // the legend stands above the plot
    font: { family: "system-ui, sans-serif", size: 13, color: "#1c1e21" },
    hovermode: "x unified",
    xaxis: { ...grid, title: title(chart.x_label), type: chart.categories ? "category" : "-", showgrid: !chart.categories },
    yaxis: {
      ...grid, title: title(chart.y_label), rangemode: "tozero",
      ...(chart.share ? { tickformat: ".0%" } : { separatethousands: true }),
    },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, traceorder: "normal" },
    showlegend: true,
  };
  return { data, layout, config: { displaylogo: false, responsive: true, displayModeBar: false } };
}

function drawPlots(within) {
  if (!window.Plotly) return;
  for (const canvas of within.querySelectorAll(".canvas")) {
    const { data, layout, config } = figure(JSON.parse(canvas.dataset.chart));
    canvas.replaceChildren();
    Plotly.newPlot(canvas, data, layout, config);
  }
}

const shown = new Map(); // the last HTML from the server for each live part, by id

function remember(within) {
  for (const part of within.querySelectorAll("[data-live]")) shown.set(part.id, part.innerHTML);
}

function replace(part, fresh) {
  const open = new Set([...part.querySelectorAll("details[open]")].map((details) => details.id));
  const focus = document.activeElement && part.contains(document.activeElement) ? document.activeElement : null;
  const place = focus ? [...part.querySelectorAll("a, summary, [tabindex]")].indexOf(focus) : -1;
  part.querySelectorAll(".js-plotly-plot").forEach((plot) => Plotly.purge(plot));
  part.innerHTML = fresh.innerHTML;
  part.querySelectorAll("details").forEach((details) => { details.open = open.has(details.id); });
  drawPlots(part);
  if (place >= 0) [...part.querySelectorAll("a, summary, [tabindex]")][place]?.focus();
}

let loading = false;
let again = false;

async function update() {
  if (loading) { again = true; return; }
  loading = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = [...page.querySelectorAll("[data-live]")];
    const here = [...document.querySelectorAll("[data-live]")];
    if (fresh.map((part) => part.id).join() !== here.map((part) => part.id).join()) {
      document.querySelector("main").innerHTML = page.querySelector("main").innerHTML; // other parts than before
      remember(document);
      drawPlots(document);
    } else {
      for (const part of fresh) {
        if (shown.get(part.id) === part.innerHTML) continue;
        const old = document.getElementById(part.id);
        shown.set(part.id, part.innerHTML);
        replace(old, part);
      }
    }
  } finally {
    loading = false;
    if (again) { again = false; update(); }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  remember(document);
  drawPlots(document);
  if (!document.querySelector("[data-live]")) return;
  const connection = document.getElementById("connection");
  const events = new EventSource("/events");
  events.onmessage = () => { connection.textContent = "live"; update(); };
  events.onerror = () => { connection.textContent = "not connected"; };
});
