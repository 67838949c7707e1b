// Draws plots, and keeps what is marked `data-live` up to date while the page stays open. Everything here also
// works without: plots are there as SVG, and a reload shows what is new.
"use strict";

function drawPlots(within) {
  if (!window.Plotly) return;
  for (const canvas of within.querySelectorAll(".canvas")) {
    const figure = JSON.parse(canvas.dataset.figure);
    canvas.replaceChildren();
    Plotly.newPlot(canvas, figure.data, figure.layout, figure.config);
  }
}

const shown = new Map(); // what the server last sent for each live part, by id

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
      document.querySelector("main").innerHTML = page.querySelector("main").innerHTML; // another set of parts
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
