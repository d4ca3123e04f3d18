// The page of many runs: each row switches its curve, and a pointer on a curve names its run.
{
  const data = JSON.parse(document.getElementById("runs-data").textContent);
  const rows = [...document.querySelectorAll("#table tbody tr")];
  const drawn = new Set(data.drawn);
  const boxes = new Map();
  const curves = (run) => document.querySelectorAll(`.curve[data-run="${run}"]`);

  const show = (run, on) => {
    boxes.get(run).checked = on;
    for (const curve of curves(run)) curve.classList.toggle("off", !on);
  };

  rows.forEach((row, run) => {
    row.dataset.run = run;
    const head = row.cells[0], label = document.createElement("label"), name = document.createElement("span");
    name.textContent = head.textContent;
    name.title = head.textContent;
    const box = document.createElement("input");
    box.type = "checkbox";
    box.disabled = !drawn.has(run);
    label.append(box);
    if (drawn.has(run)) {
      const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      key.setAttribute("class", "key");
      key.setAttribute("viewBox", "0 0 18 10");
      for (const [at, value] of Object.entries({ class: "curve", stroke: data.colours[run], x1: 1, x2: 17, y1: 5, y2: 5 })) line.setAttribute(at, value);
      key.append(line);
      label.append(key);
      boxes.set(run, box);
      box.addEventListener("change", () => show(run, box.checked));
      row.addEventListener("pointerenter", () => near(run, true));
      row.addEventListener("pointerleave", () => near(run, false));
    }
    label.append(name);
    head.replaceChildren(label);
  });

  const near = (run, on) => {
    for (const curve of curves(run)) curve.classList.toggle("near", on && boxes.get(run).checked);
    rows[run].classList.toggle("near", on);
  };

  let before = 0;
  for (const run of boxes.keys()) show(run, before++ < data.shown);

  const switches = document.querySelector(".switches");
  if (switches) switches.hidden = false;
  for (const button of document.querySelectorAll("[data-switch]")) {
    button.addEventListener("click", () => {
      const order = [...document.querySelectorAll("#table tbody tr")].map((row) => Number(row.dataset.run)).filter((run) => boxes.has(run));
      order.forEach((run, place) => show(run, button.dataset.switch === "all" || (button.dataset.switch === "first" && place < 8)));
    });
  }

  for (const figure of document.querySelectorAll(".chart.runs")) {
    const svg = figure.querySelector("svg"), values = figure.querySelector(".values");
    const points = [...figure.querySelectorAll(".curve")].map((curve) => {
      const run = Number(curve.dataset.run);
      const places = curve.tagName === "circle" ? [[Number(curve.getAttribute("cx")), Number(curve.getAttribute("cy"))]]
        : curve.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number));
      return { run, places, words: curve.dataset.said.split(" ") };
    });
    let last = null;
    const hide = () => {
      if (last !== null) near(last, false);
      last = null;
      values.hidden = true;
    };
    svg.addEventListener("pointermove", (event) => {
      const bounds = svg.getBoundingClientRect(), box = svg.viewBox.baseVal;
      const x = (event.clientX - bounds.left) / bounds.width * box.width;
      const y = (event.clientY - bounds.top) / bounds.height * box.height;
      let best = null, least = 28 * 28;
      for (const { run, places, words } of points) {
        if (!boxes.get(run).checked) continue;
        places.forEach(([u, v], at) => {
          const apart = (u - x) ** 2 + (v - y) ** 2;
          if (apart < least) { least = apart; best = { run, u, word: words[at] }; }
        });
      }
      if (best === null) return hide();
      if (last !== null && last !== best.run) near(last, false);
      last = best.run;
      near(last, true);
      const [epoch, value] = best.word.split(",");
      const head = document.createElement("b"), line = document.createElement("div");
      head.textContent = data.names[last];
      line.textContent = `epoch ${epoch}: ${value}`;
      values.replaceChildren(head, line);
      values.hidden = false;
      const width = figure.clientWidth, place = best.u / box.width * width;
      const left = place > width / 2 ? place - values.offsetWidth - 14 : place + 14;
      values.style.left = `${Math.max(0, Math.min(left, width - values.offsetWidth))}px`;
    });
    svg.addEventListener("pointerleave", hide);
  }
}
