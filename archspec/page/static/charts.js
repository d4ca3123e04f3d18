// Parameters, multiply–adds and activation memory by depth: one bar a layer, all over one axis.

const CHARTS = [
  { key: "params", title: "parameters", text: si },
  { key: "macs", title: "multiply–adds", text: si },
  { key: "bytes", title: "activation memory", text: mebibytes },
];

const LEFT = 70, RIGHT = 20, TOP = 36, GAP = 30, BOTTOM = 34;

class Charts {
  constructor() {
    this.box = byId("charts-box");
    /** Pixels a layer; 0 before anything is painted. */ this.scale = 0;
    this.height = 0;
    /** @type {any} */ this.marks = null;
    /** @type {{top: number, tall: number, said: any, chart: any}[]} */ this.plots = [];
    this.paint = onceAFrame(() => this._paint());
    this.mark = onceAFrame(() => this._mark());
    new ResizeObserver(this.paint).observe(this.box);
    this.box.addEventListener("pointermove", (/** @type {any} */ event) => {
      if (event.pointerType === "mouse") store.hover(this._under(event).map((item) => item.path), "charts");
    });
    this.box.addEventListener("pointerleave", () => store.hover([], "charts"));
    this.box.addEventListener("click", (/** @type {any} */ event) => store.select(this._under(event).map((item) => item.path), "charts"));
    this.box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const network = store.network;
      if (!network || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
      const at = store.marked().selected[0]?.index ?? -1;
      const next = network.order[at + (event.key === "ArrowRight" ? 1 : -1)];
      if (next) store.select([next.path], "charts");
      event.preventDefault();
      event.stopPropagation();
    });
    store.on("network", this.paint);
    store.on("hover select", this.mark);
  }

  _paint() {
    const network = store.network;
    const width = this.box.clientWidth, height = Math.max(this.box.clientHeight, 330);
    this.box.replaceChildren();
    if (!network || width < 80) return;
    const count = network.layers.length;
    const plot = width - LEFT - RIGHT;
    const tall = (height - TOP - BOTTOM - 2 * GAP) / CHARTS.length;
    this.scale = plot / count;
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "parameters, multiply–adds and activation memory of each layer, in the order of computation" });
    svg.append(this._stages(network, height));
    this.marks = draw("g", { class: "marks" });
    svg.append(this.marks);
    this.plots = [];
    CHARTS.forEach((chart, row) => {
      const top = TOP + row * (tall + GAP);
      svg.append(this._plot(network, chart, top, tall, plot));
    });
    const base = height - BOTTOM;
    const axis = draw("g", { class: "axis" });
    for (const tick of ticks(count, Math.max(2, Math.min(8, plot / 60)))) {
      if (tick % 1 || tick > count) continue;
      const x = LEFT + Math.max(tick - 0.5, 0) * this.scale;
      axis.append(draw("line", { x1: x, x2: x, y1: base, y2: base + 4 }), draw("text", { x, y: base + 16, "text-anchor": "middle" }, String(tick || "")));
    }
    axis.append(draw("text", { x: LEFT + plot / 2, y: height - 4, "text-anchor": "middle", class: "title" }, "layer, in the order of computation"));
    svg.append(axis);
    this.box.append(svg);
    this.height = height;
    this._mark();
  }

  /** The outermost blocks as bands behind the bars. @param {Network} network @param {number} height */
  _stages(network, height) {
    const group = draw("g", { class: "stages" });
    let number = 0;
    for (const part of network.root.parts) {
      if (!part.isBlock) continue;
      const indices = part.indices;
      const [from, to] = [Math.min(...indices.slice(0, 1)), indices[indices.length - 1] + 1];
      const wide = (to - from) * this.scale;
      const x = LEFT + from * this.scale;
      group.append(draw("rect", { x, width: wide, y: TOP - 18, height: height - TOP - BOTTOM + 18, class: number % 2 ? "odd" : "even" }));
      if (wide > 7 * part.name.length + 4) group.append(draw("text", { x: x + wide / 2, y: 13, "text-anchor": "middle" }, part.name));
      number += 1;
    }
    return group;
  }

  /** @param {Network} network @param {any} chart @param {number} top @param {number} tall @param {number} plot */
  _plot(network, chart, top, tall, plot) {
    const values = network.layers.map((/** @type {any} */ layer) => layer[chart.key]);
    const most = values.reduce((a, b) => Math.max(a, b), 0);
    const wanted = Math.max(3, tall / 30);
    /** @type {[number, string][]} */
    const marks = chart.key === "bytes" ? byteTicks(most, wanted) : ticks(most, wanted).map((tick) => [tick, tick ? chart.text(tick) : "0"]);
    const y = (/** @type {number} */ value) => top + tall - (most ? value / most : 0) * (tall - 2);
    const group = draw("g", { class: "plot" });
    const axis = draw("g", { class: "axis" });
    for (const [tick, text] of marks) {
      axis.append(draw("line", { x1: LEFT, x2: LEFT + plot, y1: y(tick), y2: y(tick), class: tick ? "grid" : "base" }));
      axis.append(draw("text", { x: LEFT - 6, y: y(tick) + 3.5, "text-anchor": "end" }, text));
    }
    group.append(axis);
    // One path a colour; where bars are thinner than a pixel, the highest of those in a pixel stands for all.
    /** @type {Map<string, string[]>} */ const paths = new Map();
    const step = Math.max(1, Math.floor(0.75 / this.scale));
    for (let index = 0; index < values.length; index += step) {
      let best = index;
      for (let other = index + 1; other < Math.min(index + step, values.length); other += 1) if (values[other] > values[best]) best = other;
      if (!values[best]) continue;
      const wide = Math.max(this.scale * step - (this.scale > 4 ? 1 : 0), 1);
      const bar = `M${(LEFT + index * this.scale).toFixed(1)} ${(top + tall).toFixed(1)}v${(y(values[best]) - top - tall).toFixed(2)}h${wide.toFixed(2)}V${(top + tall).toFixed(1)}z`;
      gather(paths, colours(network.layers[best]), bar);
    }
    for (const [colour, bars] of paths) group.append(draw("path", { d: bars.join(""), class: `column ${colour}` }));
    const said = draw("text", { x: LEFT + plot, y: top - 7, "text-anchor": "end", class: "said" });
    group.append(draw("text", { x: LEFT, y: top - 7, class: "title" }, chart.title), said);
    this.plots.push({ top, tall, said, chart });
    return group;
  }

  _mark() {
    if (!this.marks || !store.network) return;
    const { selected, hovered } = store.marked();
    this.marks.replaceChildren();
    const band = (/** @type {Item[]} */ items, /** @type {string} */ style) => {
      const indices = [...new Set(items.flatMap((item) => item.indices))].sort((a, b) => a - b);
      for (let at = 0; at < indices.length;) {
        let end = at;
        while (indices[end + 1] === indices[end] + 1) end += 1;
        const x = LEFT + indices[at] * this.scale;
        this.marks.append(draw("rect", { x, width: Math.max((end - at + 1) * this.scale, 1.5), y: TOP - 18, height: this.height - TOP - BOTTOM + 18, class: style }));
        at = end + 1;
      }
    };
    band(selected, "selected");
    band(hovered, "hovered");
    const items = hovered.length ? hovered : selected;
    for (const { said, chart } of this.plots) {
      const sum = items.reduce((total, item) => total + /** @type {any} */ (item)[chart.key], 0);
      said.textContent = items.length ? `${items.length > 1 ? counted(items.length, "layer") : items[0].path}  ${chart.text(sum)}` : "";
    }
  }

  /** The layer under the pointer. @param {any} event @returns {Item[]} */
  _under(event) {
    const network = store.network;
    if (!network || !this.scale) return [];
    const x = event.clientX - this.box.getBoundingClientRect().left - LEFT;
    const index = Math.floor(x / this.scale);
    return index >= 0 && index < network.order.length ? [network.order[index]] : [];
  }
}
