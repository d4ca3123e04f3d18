// The page of a run: values under the pointer, tables that are sorted, dark and light, the network's page.
"use strict";

const root = document.documentElement;

/** The colours that are shown now. */
function dark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function frames() {
  for (const frame of document.querySelectorAll("iframe")) {
    const inner = frame.contentDocument?.documentElement;
    if (inner) inner.dataset.theme = dark() ? "dark" : "light";
  }
}

document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  frames();
});

/** A number in few figures. */
function said(value) {
  if (value === null) return "–";
  return Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

for (const figure of document.querySelectorAll("[data-chart]")) {
  const data = JSON.parse(figure.dataset.chart);
  const svg = figure.querySelector("svg");
  const box = svg.viewBox.baseVal;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  line.setAttribute("class", "under");
  line.setAttribute("y1", "12");
  line.setAttribute("y2", String(box.height - 34));
  line.toggleAttribute("hidden", true);
  svg.append(line);
  const values = document.createElement("div");
  values.className = "values";
  values.hidden = true;
  figure.append(values);
  let at = data.x.length - 1;

  const show = (index) => {
    at = Math.max(0, Math.min(data.x.length - 1, index));
    const x = data.x[at];
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.toggleAttribute("hidden", false);
    values.replaceChildren();
    const head = document.createElement("b");
    head.textContent = `epoch ${said(data.at[at])}`;
    values.append(head, ...data.lines.map((item) => {
      const row = document.createElement("div");
      row.textContent = `${item.name} ${said(item.values[at])}`;
      return row;
    }));
    values.hidden = false;
    const share = x / box.width, width = figure.clientWidth;
    const left = share > 0.5 ? share * width - values.offsetWidth - 12 : share * width + 12;
    values.style.left = `${Math.max(0, Math.min(left, width - values.offsetWidth))}px`;
  };
  const hide = () => {
    values.hidden = true;
    line.toggleAttribute("hidden", true);
  };
  svg.addEventListener("pointermove", (event) => {
    const bounds = svg.getBoundingClientRect();
    const x = (event.clientX - bounds.left) / bounds.width * box.width;
    let nearest = 0;
    data.x.forEach((own, index) => { if (Math.abs(own - x) < Math.abs(data.x[nearest] - x)) nearest = index; });
    show(nearest);
  });
  svg.addEventListener("pointerleave", hide);
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      show(values.hidden ? at : at + (event.key === "ArrowRight" ? 1 : -1));
      event.preventDefault();
    } else if (event.key === "Escape") hide();
  });
  svg.addEventListener("blur", hide);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const way = before === "descending" || (!before && column === 0) ? "ascending" : "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value === undefined ? (cell.classList.contains("number") ? null : cell.textContent) : Number(cell.dataset.value);
      };
      const sign = way === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

const network = document.getElementById("network-page");
if (network) {
  const details = document.getElementById("network-fold");
  details.addEventListener("toggle", async () => {
    if (!details.open || details.querySelector("iframe")) return;
    const packed = Uint8Array.from(atob(network.textContent.trim()), (char) => char.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const frame = document.createElement("iframe");
    frame.title = "the network";
    frame.addEventListener("load", frames);
    frame.srcdoc = await new Response(stream).text();
    details.append(frame);
  });
}
