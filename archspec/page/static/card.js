// What is known of the layer or block that is hovered or selected, with its receptive field over a picture of the input.

class Card {
  constructor() {
    this.box = byId("card");
    this.show = onceAFrame(() => this._show());
    store.on("network hover select open", this.show);
    byId("card-close").addEventListener("click", () => store.select([]));
    byId("card-reveal").addEventListener("click", () => {
      const item = store.marked().selected[0];
      if (!item) return;
      if (item.isBlock) store.toggle(item.path);
      else store.reveal(item.path);
    });
  }

  _show() {
    const network = store.network;
    const { selected, hovered } = store.marked();
    const items = hovered.length ? hovered : selected;
    const item = items[0];
    this.box.hidden = !item || !network;
    if (!item || !network) return;
    this.box.classList.toggle("passing", hovered.length > 0);
    byId("card-title").textContent = items.length > 1 ? `${item.path} … ${items[items.length - 1].path}` : item.path || network.model.name;
    byId("card-title").title = items.map((one) => one.path).slice(0, 20).join("\n");
    byId("card-kind").textContent = this._kind(items);
    byId("card-dot").setAttribute("class", `dot ${item.layer ? colours(item.layer) : "block"}`);
    byId("card-facts").replaceChildren(...this._facts(items, network));
    byId("card-field").replaceChildren(...(items.length === 1 ? fieldPicture(lastLayer(item), network.model.input) : []));
    const reveal = byId("card-reveal");
    const seen = network.seen(item, store.opened) === item;
    reveal.hidden = hovered.length > 0 || items.length > 1 || (!item.isBlock && seen);
    reveal.textContent = item.isBlock ? (store.opened.has(item.path) ? "fold" : "unfold") : "show in the drawing";
  }

  /** @param {Item[]} items */
  _kind(items) {
    const kinds = [...new Set(items.map((item) => item.kind))].join(", ");
    const count = items.reduce((sum, item) => sum + item.count, 0);
    return count > 1 ? `${kinds}${items.length > 1 ? ` ×${items.length}` : ""}, ${counted(count, "layer")}` : kinds;
  }

  /** Names and values. @param {Item[]} items @param {Network} network */
  _facts(items, network) {
    const all = network.root;
    /** @type {[string, string, string?][]} */ const rows = [];
    const item = items[0];
    const layer = items.length === 1 ? item.layer : null;
    if (layer) {
      for (const [name, value] of Object.entries(layer.fields)) rows.push([name, fieldText(value)]);
      rows.push(["input", layer.takes.map(dims).join(", ")]);
    }
    if (items.length === 1) rows.push(["output", dims(item.output)]);
    const add = (/** @type {string} */ name, /** @type {"params" | "macs" | "flops" | "bytes"} */ key, /** @type {(value: number) => string} */ text) => {
      const sum = items.reduce((total, one) => total + one[key], 0);
      if (sum) rows.push([name, text(sum), all[key] ? percent(sum, all[key]) : ""]);
    };
    add("parameters", "params", whole);
    if (layer?.statistics) rows.push(["statistics", whole(layer.statistics)]);
    add("MACs", "macs", si);
    add("FLOPs", "flops", si);
    add("activations", "bytes", mebibytes);
    return rows.flatMap(([name, value, share]) => [
      make("dt", {}, name),
      make("dd", { title: value }, value, share ? make("span", { class: "faint" }, ` ${share}`) : null),
    ]);
  }
}

/**
 * The field of the position in the middle of a layer's output, drawn over the input and cut at its borders.
 * @param {Layer} layer @param {number[]} input
 */
function fieldPicture(layer, input) {
  const [high, wide] = input.length === 3 ? input : [1, input[0]];
  const { size, jump, start } = layer.field;
  const map = layer.output.length === 3 ? layer.output : [1, 1];
  const centre = [0, 1].map((axis) => start[axis] + Math.floor(map[axis] / 2) * jump[axis]);
  const from = centre.map((middle, axis) => middle - size[axis] / 2);
  const cut = [high, wide].map((extent, axis) => [Math.max(0, from[axis]), Math.min(extent, from[axis] + size[axis])]);
  const over = [high, wide].some((extent, axis) => from[axis] < 0 || from[axis] + size[axis] > extent);
  const scale = Math.min(132 / wide, 96 / high);
  const [w, h] = [wide * scale, high * scale];
  const svg = draw("svg", {
    width: w + 2, height: h + 2, viewBox: `-1 -1 ${w + 2} ${h + 2}`, role: "img", class: "field",
    "aria-label": `receptive field ${dims(size)} on an input of ${high}×${wide}`,
  });
  svg.append(draw("rect", { width: w, height: h, class: "input" }));
  if (scale >= 2.5) {
    let grid = "";
    for (let x = 1; x < wide; x += 1) grid += `M${x * scale} 0v${h}`;
    for (let y = 1; y < high; y += 1) grid += `M0 ${y * scale}h${w}`;
    svg.append(draw("path", { d: grid, class: "pixels" }));
  }
  const place = { x: cut[1][0] * scale, y: cut[0][0] * scale, width: Math.max(0, cut[1][1] - cut[1][0]) * scale, height: Math.max(0, cut[0][1] - cut[0][0]) * scale };
  svg.append(draw("rect", { ...place, class: over ? "reach cut" : "reach" }));
  svg.append(draw("circle", { cx: centre[1] * scale, cy: centre[0] * scale, r: 2 }));
  const step = jump.map((value) => short(value, 3));
  const words = make("figcaption", {},
    make("b", {}, dims(size)), make("br"), "receptive field", make("br"),
    `of ${high}×${wide}${over ? ", cut at its borders" : ""}`, make("br"),
    make("span", { class: "faint" }, `neighbours ${step[0] === step[1] ? step[0] : step.join("×")} apart`));
  return [svg, words];
}
